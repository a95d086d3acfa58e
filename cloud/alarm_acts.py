"""What people do with alarms: acknowledge, comment, assign, shelve, take out of service.

The rules decide (`rules.alarm.acts`); here it is read, written and audited, in one transaction. Pages, API
and command line call these functions. Who may is `alarms.handle`, at the site.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cloud.identity.acts import Act, ActError, ForbiddenError, MissingError
from cloud.store import alarm_desk
from cloud.store.alarm_desk import Changes
from cloud.store.ticks import tick_of_datetime
from rules.alarm import acts
from rules.alarm.desk import Act as Done
from rules.alarm.desk import Desk, Outcome, Refused, What
from rules.alarm.desk import Reason as Reason
from rules.alarm.model import Condition
from rules.alarm.policy import Policy
from rules.permissions import Permission

TEXT_MAX = 500
Do = Callable[[Desk, Policy, int], Outcome | Refused]

EXPECTED = {
    Reason.NO_PERSON: "a person who is signed in",
    Reason.NO_REASON: f"a text of 1 to {TEXT_MAX} characters in one line",
    Reason.NOTHING_OPEN: "an alarm that is open",
    Reason.ALREADY_ACKNOWLEDGED: "an alarm that nobody has acknowledged",
    Reason.NOT_SHELVABLE: "an alarm that may be shelved; one of tampering may not",
    Reason.ALREADY_SHELVED: "an alarm that is not shelved",
    Reason.NOT_SHELVED: "an alarm that is shelved",
    Reason.NOTHING_STANDS: "an alarm that stands: a shelf without an end lasts until it clears",
    Reason.IN_THE_PAST: "a time in the future",
    Reason.TOO_LONG: "a time within the longest shelf of the site",
    Reason.ALREADY_OUT: "a point that is in service",
    Reason.NOT_OUT: "a point that is out of service",
}
_FIELDS = {Reason.NO_REASON: "text", Reason.IN_THE_PAST: "until", Reason.TOO_LONG: "until"}


class RefusedError(ActError):
    """The rules say no; `reason` says why."""

    def __init__(self, reason: Reason, value: object) -> None:
        super().__init__(_FIELDS.get(reason, "alarm"), value, EXPECTED[reason])
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Alarm:
    """Names one alarm of a site."""

    site_id: int
    point: str
    condition: Condition

    def __str__(self) -> str:
        return f"{self.point}:{self.condition}"


async def acknowledge(act: Act, alarm: Alarm, *, text: str = "") -> int:
    """Acknowledge every open occurrence of an alarm, and return how many; its escalation stops."""
    by, text = _by(act), _text(text)

    def do(desk: Desk, policy: Policy, now: int) -> Outcome | Refused:
        return acts.acknowledge(
            desk, policy, point=alarm.point, condition=alarm.condition, by=by, text=text, now=now
        )

    log = await _do(act, alarm, do, action="alarm.acknowledge", why=text)
    return sum(one.what is What.ACKNOWLEDGED for one in log)


async def comment(act: Act, alarm: Alarm, *, text: str) -> None:
    """Write something beside every open occurrence of an alarm."""
    by, text = _by(act), _text(text)

    def do(desk: Desk, policy: Policy, now: int) -> Outcome | Refused:
        return acts.comment(
            desk, policy, point=alarm.point, condition=alarm.condition, by=by, text=text, now=now
        )

    await _do(act, alarm, do, action="alarm.comment", why=text)


async def assign(act: Act, alarm: Alarm, *, to: str) -> None:
    """Give an alarm to somebody; an empty `to` takes it from whoever had it."""
    by, to = _by(act), _text(to)

    def do(desk: Desk, policy: Policy, now: int) -> Outcome | Refused:
        return acts.assign(desk, policy, point=alarm.point, condition=alarm.condition, by=by, to=to, now=now)

    await _do(act, alarm, do, action="alarm.assign", new={"to": to})


async def shelve(act: Act, alarm: Alarm, *, until: datetime | None, text: str) -> None:
    """Put an alarm aside until a time, or (None) until it clears."""
    by, text = _by(act), _text(text)
    end = None if until is None else tick_of_datetime(until)

    def do(desk: Desk, policy: Policy, now: int) -> Outcome | Refused:
        return acts.shelve(
            desk, policy, point=alarm.point, condition=alarm.condition, by=by, text=text, until=end, now=now
        )

    await _do(act, alarm, do, action="alarm.shelve", new={"until": _iso(until)}, why=text)


async def unshelve(act: Act, alarm: Alarm) -> None:
    """Take an alarm from its shelf; people are called anew if it stands unacknowledged."""
    by = _by(act)

    def do(desk: Desk, policy: Policy, now: int) -> Outcome | Refused:
        return acts.unshelve(desk, policy, point=alarm.point, condition=alarm.condition, by=by, now=now)

    await _do(act, alarm, do, action="alarm.unshelve")


async def take_out(act: Act, site_id: int, point: str, *, until: datetime | None, text: str) -> None:
    """Take a point out of service for maintenance, until a time or until somebody puts it back."""
    by, text = _by(act), _text(text)
    end = None if until is None else tick_of_datetime(until)

    def do(desk: Desk, policy: Policy, now: int) -> Outcome | Refused:
        return acts.take_out(desk, policy, point=point, by=by, text=text, until=end, now=now)

    await _do(act, _Point(site_id, point), do, action="alarm.take-out", new={"until": _iso(until)}, why=text)


async def put_back(act: Act, site_id: int, point: str) -> None:
    """Put a point back into service; people are called anew for what stands unacknowledged."""
    by = _by(act)

    def do(desk: Desk, policy: Policy, now: int) -> Outcome | Refused:
        return acts.put_back(desk, policy, point=point, by=by, now=now)

    await _do(act, _Point(site_id, point), do, action="alarm.put-back")


@dataclass(frozen=True, slots=True)
class _Point:
    site_id: int
    point: str

    def __str__(self) -> str:
        return self.point


async def _do(
    act: Act, about: Alarm | _Point, do: Do, *, action: str, new: object = None, why: str = ""
) -> tuple[Done, ...]:
    """Do it and return what went into the log."""
    kept = await alarm_desk.hold(act.connection, about.site_id, {about.point})
    if kept is None or not act.viewer.may(Permission.ALARMS_READ, kept.organisation_id, about.site_id):
        raise MissingError("site", about.site_id, "an existing site")
    if not act.viewer.may(Permission.ALARMS_HANDLE, kept.organisation_id, about.site_id):
        raise ForbiddenError("alarm", about, f"the permission {Permission.ALARMS_HANDLE} at this site")
    if isinstance(about, _Point) and not await alarm_desk.is_watched(
        act.connection, about.site_id, about.point
    ):
        raise ActError("point", about.point, "a point of this site that is watched")
    outcome = do(kept.desk, kept.policy, tick_of_datetime(act.at))
    if isinstance(outcome, Refused):
        raise RefusedError(outcome.reason, about)
    desk, log = outcome
    changes = Changes(about.site_id, kept.organisation_id, kept.desk, desk, log)
    await alarm_desk.write(act.connection, changes, {}, by_person=True)
    await act.note(action, f"alarm {about}", organisation_id=kept.organisation_id, new=new, why=why)
    return log


def _by(act: Act) -> str:
    """Return the person as the log names them; while there are no accounts, who sits at the hub."""
    return act.viewer.login or act.viewer.kind


def _text(text: str) -> str:
    text = text.strip()
    if len(text) > TEXT_MAX or (text and not text.isprintable()):
        raise ActError("text", text, f"a text of at most {TEXT_MAX} characters in one line")
    return text


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
