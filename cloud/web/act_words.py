"""The acts of the audit log in words: every code that is ever written down. No markup, no data."""

from cloud.store.audit_log import AuditRow
from cloud.web.language import Language
from cloud.web.reasons import Said, unknown_name
from cloud.web.words import mark

ACTS = {
    # of people, accounts and rights
    "person.add": mark("Person entered"),
    "person.change": mark("Person changed"),
    "person.remove": mark("Person taken back"),
    "account.add": mark("Account opened"),
    "account.change": mark("Account changed"),
    "account.remove": mark("Account taken back"),
    "account.invite": mark("Invitation made"),
    "account.disable": mark("Account closed"),
    "account.enable": mark("Account opened again"),
    "role.add": mark("Role given by an import"),
    "role.change": mark("Role changed"),
    "role.remove": mark("Role taken back"),
    "role.grant": mark("Role given"),
    "role.take": mark("Role taken"),
    "authorisation.add": mark("Authorisation entered"),
    "authorisation.withdraw": mark("Authorisation withdrawn"),
    "credential.add": mark("Card entered"),
    "credential.change": mark("Card changed"),
    "credential.remove": mark("Card taken back"),
    "credential-key.make": mark("Key of cards made"),
    "credential-key.take": mark("Key of cards taken over"),
    "credential-key.give": mark("Key of cards given out"),
    "access.add": mark("Right, group or schedule entered"),
    "access.change": mark("Right, group or schedule changed"),
    "access.drop": mark("Right, group or schedule taken out"),
    "access.approve": mark("Right approved by the head"),
    "access.person": mark("Person changed at doors"),
    "access.pin": mark("PIN set"),
    "visit.register": mark("Visit registered"),
    "visit.end": mark("Visit ended"),
    "visit.approve": mark("Visit approved by the head"),
    # of who signs in
    "sign-in": mark("Signed in"),
    "sign-out": mark("Signed out"),
    "password.set": mark("Password set"),
    "second-factor.on": mark("Second factor set up"),
    "second-factor.off": mark("Second factor given up"),
    "second-factor.reset": mark("Second factor reset"),
    "session.end": mark("Session ended"),
    "token.make": mark("Token made"),
    "token.end": mark("Token ended"),
    "request": mark("Request"),
    # of what is measured
    "import.apply": mark("Workbook imported"),
    "import.undo": mark("Import undone"),
    "point.add": mark("Point entered"),
    "point.change": mark("Point changed"),
    "point.remove": mark("Point taken back"),
    "asset.add": mark("Instrument entered"),
    "asset.change": mark("Instrument changed"),
    "asset.remove": mark("Instrument taken back"),
    "site.apply": mark("Site file applied"),
    "calibration.enter": mark("Calibration entered"),
    "certificate.bring": mark("Certificate's file brought"),
    # of alarms
    "alarm.acknowledge": mark("Alarm acknowledged"),
    "alarm.comment": mark("Alarm commented"),
    "alarm.assign": mark("Alarm given to somebody"),
    "alarm.shelve": mark("Alarm shelved"),
    "alarm.unshelve": mark("Alarm taken from the shelf"),
    "alarm.take-out": mark("Point taken out of service"),
    "alarm.put-back": mark("Point put back into service"),
    "alarm-template.save": mark("Template of alarms kept"),
    "alarm-template.apply": mark("Points are watched"),
    "alarm-template.remove": mark("Points are watched no more"),
    "alarm-policy.save": mark("Who is told of alarms"),
    "alarm-way.save": mark("Way of telling people kept"),
    "alarm-way.remove": mark("Way of telling people removed"),
    "alarm-way.test": mark("Test message sent"),
    # of gateways
    "gateway.claim": mark("Gateway claimed"),
    "gateway.enrol": mark("Gateway enrolled"),
    "gateway.renew": mark("Certificate of a gateway renewed"),
    "gateway.recover": mark("Gateway asks to come back"),
    "gateway.approve": mark("Gateway approved"),
    "gateway.revoke": mark("Gateway revoked"),
    "gateway.replace": mark("Gateway replaced"),
    "enrolment.connect": mark("Connection to the enrolment"),
    "settings.save": mark("Settings of a gateway saved"),
    "settings.revert": mark("Settings of a gateway taken back"),
    "settings.template": mark("Template of settings kept"),
    # of jobs
    "method.add": mark("Version of a method kept"),
    "job.plan": mark("Job planned"),
    "job.amend": mark("Plan of a job changed"),
    "job.start": mark("Job started"),
    "job.release": mark("Job released"),
    "job.finish": mark("Job finished"),
    "operation.begin": mark("Remote operation begun"),
    "operation.end": mark("Remote operation ended"),
    "hub-interlock.save": mark("Rule of the hub kept"),
    "hub-interlock.ask": mark("Asked of an interlock of the hub"),
    "command.ask": mark("Command asked for"),
    "command.approve": mark("Command approved"),
    "proof.begin": mark("Proof test begun"),
    "proof.record": mark("Step of a proof test recorded"),
    "proof.abandon": mark("Proof test given up"),
    # of pictures and personal data
    "media.request": mark("Request for media"),
    "recording.want": mark("Recording asked for"),
    "retention.set": mark("Days of keeping set"),
    "retention.delete": mark("Deleted: kept no longer"),
    "duty-hours.set": mark("Duty hours set"),
}
ACTORS = {
    "token": mark("token"),
    "command": mark("command line"),
    "gateway": mark("gateway"),
    "rule": mark("rule of the hub"),
}
"""Kinds of actors that are said beside their name."""


def say_act(language: Language, code: str) -> Said:
    """Return an act in the page's language; one that has no words comes readable, marked as English."""
    known = ACTS.get(code)
    return Said(language.say(known)) if known else unknown_name(language, code.replace(".", " "))


def say_actor(language: Language, row: AuditRow) -> str:
    """Return what kind of actor it was; empty for a person who was signed in, and for nobody."""
    known = ACTORS.get(row.actor_kind)
    return language.say(known) if known else ""


def acts_by_word(language: Language) -> list[tuple[str, str]]:
    """Return every act as code and word, in the order of the words."""
    return sorted(((code, language.say(word)) for code, word in ACTS.items()), key=lambda one: one[1])
