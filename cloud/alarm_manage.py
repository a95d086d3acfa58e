"""What is said about alarms: templates, what they watch, who is told and by which way. Checked and audited.

Pages, API and command line call these functions. Who may is `alarms.manage`, in the whole organisation.
"""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

from cloud.alarm_documents import PolicyText, RuleText, WrittenError, policy_of, rules_of
from cloud.identity.acts import Act, ActError, ForbiddenError, MissingError
from cloud.notify.targets import is_host, is_mail, leads_to_refused
from cloud.notify.texts import write_test
from cloud.notify.ways import addresses
from cloud.store import accounts, alarm_desk, alarm_messages, alarm_room, alarm_templates, points
from cloud.store.alarm_messages import NewMessage
from cloud.store.alarm_templates import Template
from rules.alarm import check
from rules.alarm.check import Fault
from rules.alarm.model import Rule
from rules.alarm.model import Template as Rules
from rules.alarm.policy import Policy
from rules.permissions import Permission
from wire.quantities import QUANTITIES

KINDS = ("email", "webhook", "wecom", "dingtalk", "sms")
LANGUAGES = ("zh", "en")
POINTS_MAX = 1000
TEXT_MAX = 500
_NAME = re.compile(r"[a-z0-9-]{1,63}")
_NUMBER = re.compile(r"\+?[0-9 ()-]{3,30}")
_HOOKS = ("webhook", "wecom", "dingtalk")
_URL_MAX = 2000


async def save_template(
    act: Act, organisation_id: int, name: str, *, quantity: str, rules: Sequence[RuleText], reason: str
) -> int:
    """Keep a template, or a new revision for all that it watches; return the revision's number."""
    await _may(act, organisation_id)
    _check_name(name)
    if quantity and quantity not in QUANTITIES:
        raise ActError("quantity", quantity, "a quantity, or nothing for conditions without limits")
    reason, found = _text("reason", reason), written_rules(rules)
    range_ = QUANTITIES.get(quantity)
    low, high = (None, None) if range_ is None else (range_.low, range_.high)
    _refuse(check.template_faults(Rules(name, 0, found), low, high))
    if not quantity and any(rule.limit is not None for rule in found):
        raise ActError("quantity", quantity, "the quantity that the limits are of")
    before = await alarm_templates.find_template(act.connection, organisation_id, name)
    if before is not None and before.quantity != quantity and before.points:
        raise ActError("quantity", quantity, f"{before.quantity}: the template watches points of it")
    _, number = await alarm_templates.save_template(
        act.connection,
        organisation_id,
        name,
        quantity=quantity,
        rules=found,
        author=act.viewer.login,
        reason=reason,
        at=act.at,
    )
    await alarm_room.change_directory(act.connection)
    await act.note(
        "alarm-template.save",
        f"alarm template {name}",
        organisation_id=organisation_id,
        old=None if before is None else {"number": before.number, "rules": before.rules},
        new={"number": number, "rules": msgspec.to_builtins(found)},
        why=reason,
    )
    return number


async def apply_template(
    act: Act, organisation_id: int, name: str, *, point_ids: Sequence[int], reason: str
) -> None:
    """Have a template watch points, in place of what watched them."""
    await _may(act, organisation_id)
    template = await _template(act, organisation_id, name)
    reason, ids = _text("reason", reason), sorted(set(point_ids))
    known = await points.points_of(act.connection, ids[:POINTS_MAX]) if ids else []
    if not ids or len(ids) > POINTS_MAX or len(known) != len(ids):
        raise ActError("points", ", ".join(map(str, ids)), f"ids of 1 to {POINTS_MAX} existing points")
    for point in known:
        if point.organisation_id != organisation_id or template.quantity not in ("", point.quantity):
            wanted = template.quantity or "its organisation"
            raise ActError("points", f"{point.site}/{point.name}", f"points of {wanted}, as the template is")
    await alarm_templates.apply(act.connection, ids, template, author=act.viewer.login, at=act.at)
    await alarm_room.change_directory(act.connection)
    await act.note(
        "alarm-template.apply",
        f"alarm template {name}",
        organisation_id=organisation_id,
        new={"points": [f"{point.site}/{point.name}" for point in known]},
        why=reason,
    )


async def stop_watching(act: Act, organisation_id: int, point_ids: Sequence[int], *, reason: str) -> None:
    """Have nothing watch these points any more: they are not monitored then, and shown so."""
    await _may(act, organisation_id)
    reason, ids = _text("reason", reason), sorted(set(point_ids))
    known = await points.points_of(act.connection, ids[:POINTS_MAX]) if ids else []
    if len(known) != len(ids) or not ids or any(one.organisation_id != organisation_id for one in known):
        raise ActError("points", ", ".join(map(str, ids)), f"ids of 1 to {POINTS_MAX} existing points")
    await alarm_templates.remove(act.connection, ids)
    await alarm_room.change_directory(act.connection)
    await act.note(
        "alarm-template.remove",
        "alarm template",
        organisation_id=organisation_id,
        old={"points": [f"{point.site}/{point.name}" for point in known]},
        why=reason,
    )


async def save_policy(act: Act, site_id: int, written: PolicyText, *, reason: str) -> int:
    """Say how a site handles its alarms; return the number of the revision."""
    organisation_id = await alarm_room.organisation_of(act.connection, site_id)
    if organisation_id is None:
        raise MissingError("site", site_id, "an existing site")
    await _may(act, organisation_id)
    reason = _text("reason", reason)
    policy = written_policy(written)
    _refuse(check.policy_faults(policy))
    ways = [way.name for way in await alarm_messages.channels(act.connection, organisation_id)]
    for name, chain in written.chains.items():
        for number, step in enumerate(chain.steps):
            for way in step.to:
                if way not in ways:
                    known = ", ".join(ways) or "nothing yet: enter a way first"
                    raise ActError(
                        f"chains.{name}.{number}.to", way, f"a way by which people are told: {known}"
                    )
    await alarm_desk.hold(act.connection, site_id, ())
    before = await alarm_templates.policies(act.connection, site_id)
    number = await alarm_templates.save_policy(
        act.connection,
        organisation_id,
        site_id,
        policy=policy,
        author=act.viewer.login,
        reason=reason,
        at=act.at,
    )
    await alarm_desk.tell(act.connection, site_id)
    await act.note(
        "alarm-policy.save",
        f"alarm policy of site {site_id}",
        organisation_id=organisation_id,
        old=before[0].policy if before else None,
        new=msgspec.to_builtins(policy),
        why=reason,
    )
    return number


async def save_channel(
    act: Act,
    organisation_id: int,
    name: str,
    *,
    kind: str,
    target: str,
    key: str,
    language: str,
    local: bool,
) -> int:
    """Keep a way by which people are told; of a hook its address is a secret that is not shown again.

    `local`: whether hooks may lead to the hub's own machine.
    """
    await _may(act, organisation_id)
    _check_name(name)
    if kind not in KINDS:
        raise ActError("kind", kind, f"one of {', '.join(KINDS)}")
    if language not in LANGUAGES:
        raise ActError("language", language, f"one of {', '.join(LANGUAGES)}")
    shown, secret = _target(kind, target.strip(), key.strip())
    if kind in _HOOKS and await leads_to_refused(shown, local=local):
        raise ActError("target", shown, "a hook elsewhere than on the hub's own machine")
    made = await alarm_templates.save_channel(
        act.connection,
        organisation_id,
        name,
        kind=kind,
        target=shown,
        secret=secret,
        language=language,
        author=act.viewer.login,
        at=act.at,
    )
    new = {"kind": kind, "target": shown, "signed": "key" in secret, "language": language}
    await act.note("alarm-way.save", f"alarm way {name}", organisation_id=organisation_id, new=new)
    return made


async def remove_channel(act: Act, organisation_id: int, name: str) -> None:
    """Take a way out of use; refused while a site calls people by it."""
    await _may(act, organisation_id)
    found = await _channel(act, organisation_id, name)
    for policy in await alarm_templates.policies(act.connection):
        chains = policy.policy.get("chains", {})
        used = {to for chain in chains.values() for step in chain["steps"] for to in step["recipients"]}
        if (
            name in used
            and await alarm_room.organisation_of(act.connection, policy.site_id) == organisation_id
        ):
            raise ActError("name", name, "a way that no site calls people by")
    await alarm_templates.remove_channel(act.connection, found.id, act.at)
    await act.note("alarm-way.remove", f"alarm way {name}", organisation_id=organisation_id)


async def test_channel(act: Act, organisation_id: int, name: str) -> int:
    """Send a test message by a way; return the number under which it is in the log of messages."""
    await _may(act, organisation_id)
    found = await _channel(act, organisation_id, name)
    subject, body = write_test(found, act.viewer.login, act.at)
    message = NewMessage(name, subject, body)
    (made,) = await alarm_messages.keep_messages(
        act.connection, organisation_id, None, round_id=None, messages=[message], at=act.at
    )
    await act.note("alarm-way.test", f"alarm way {name}", organisation_id=organisation_id)
    return made


def _target(kind: str, target: str, key: str) -> tuple[str, dict[str, str]]:
    """Return what of a way may be shown, and what may not."""
    if kind not in _HOOKS:
        fits_one, what = (is_mail, "mail addresses") if kind == "email" else (_NUMBER.fullmatch, "numbers")
        found = addresses(target)
        if not found or len(target) > TEXT_MAX or not all(fits_one(one) for one in found):
            raise ActError("target", target, f"{what}, separated by commas")
        return ", ".join(found), {}
    try:
        parts = urlsplit(target)
        fits = parts.scheme in ("https", "http") and is_host(parts.hostname or "")
        fits = fits and parts.username is None
        fits = fits and parts.port != 0 and target.isascii() and target.isprintable() and " " not in target
    except ValueError:
        fits = False
    if not fits or len(target) > _URL_MAX or len(key) > TEXT_MAX or parts.fragment:
        raise ActError("target", "(not shown)", "the address of a hook, https://…, without user or password")
    return parts.hostname or "", {"url": target} | ({"key": key} if key else {})


async def _may(act: Act, organisation_id: int) -> None:
    known = organisation_id in await accounts.all_organisations(act.connection)
    if not known or not act.viewer.may(Permission.ALARMS_READ, organisation_id):
        raise MissingError("organisation_id", organisation_id, "an existing organisation")
    if not act.viewer.may(Permission.ALARMS_MANAGE, organisation_id):
        raise ForbiddenError("alarms", "", f"the permission {Permission.ALARMS_MANAGE} in this organisation")


async def _template(act: Act, organisation_id: int, name: str) -> Template:
    found = await alarm_templates.find_template(act.connection, organisation_id, name)
    if found is None:
        raise MissingError("template", name, "an existing template")
    return found


async def _channel(act: Act, organisation_id: int, name: str) -> alarm_messages.Way:
    found = await alarm_messages.channels(act.connection, organisation_id, [name])
    if not found:
        raise MissingError("name", name, "a way by which people are told")
    return found[0]


def written_rules(rules: Sequence[RuleText]) -> tuple[Rule, ...]:
    """Return the rules that were written; `ActError`."""
    try:
        return rules_of(rules)
    except WrittenError as error:
        raise ActError(error.field, error.value, error.expected) from None


def written_policy(written: PolicyText) -> Policy:
    """Return the policy that was written; `ActError`."""
    try:
        return policy_of(written)
    except WrittenError as error:
        raise ActError(error.field, error.value, error.expected) from None


def _refuse(faults: Sequence[Fault]) -> None:
    if faults:
        first = faults[0]
        raise ActError(first.path, first.value, first.expectation)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ActError("name", name, "1 to 63 of a-z, 0-9 and '-'")


def _text(field: str, text: str) -> str:
    text = text.strip()
    if not 1 <= len(text) <= TEXT_MAX or not text.isprintable():
        raise ActError(field, text, f"a text of 1 to {TEXT_MAX} characters in one line")
    return text
