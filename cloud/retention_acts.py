"""What administrators say about how long personal data are kept. Checked and audited."""

from collections.abc import Sequence
from datetime import time

from cloud.identity.acts import Act, ActError, MissingError
from cloud.store import retention
from cloud.store.accounts import all_organisations
from cloud.store.retention import Duty
from cloud.store.sites import get_site
from rules.permissions import Permission

DAYS_MAX = 36500


async def set_days(act: Act, organisation_id: int, kind: str, *, days: int, why: str) -> None:
    """Keep a class of an organisation's personal data for so many days."""
    known = organisation_id in await all_organisations(act.connection)
    if not known or not act.viewer.may(Permission.PEOPLE_MANAGE, organisation_id):
        raise MissingError("organisation", organisation_id, "an existing organisation")
    if kind not in retention.DEFAULTS:
        raise ActError("class", kind, f"one of {', '.join(retention.DEFAULTS)}; the audit log is always kept")
    if not 0 <= days <= DAYS_MAX:
        raise ActError("days", days, f"0 to {DAYS_MAX}")
    _check_why(why)
    before = [
        one
        for one in await retention.list_kept(act.connection)
        if (one.organisation_id, one.kind) == (organisation_id, kind)
    ]
    await retention.set_days(act.connection, organisation_id, kind, days)
    old = {"days": before[0].days if before else None}
    await act.note(
        "retention.set", kind, organisation_id=organisation_id, old=old, new={"days": days}, why=why
    )


async def set_duty(
    act: Act,
    site_id: int,
    *,
    weekdays: Sequence[int],
    from_time: time,
    to_time: time,
    keep_off_duty: bool,
    why: str,
) -> None:
    """Declare when a site is on duty, and whether positions off duty are kept."""
    site = await get_site(act.connection, site_id)
    bodies = await all_organisations(act.connection)
    if site is None:
        raise MissingError("site", site_id, "an existing site")
    organisation_id = next(number for number, name in bodies.items() if name == site.organisation)
    act.need(Permission.PEOPLE_MANAGE, organisation_id, thing="site")
    if not weekdays or len(set(weekdays)) != len(weekdays) or not set(weekdays) <= set(range(1, 8)):
        raise ActError("weekdays", weekdays, "some of 1 (Monday) to 7, each once")
    if to_time <= from_time:
        raise ActError("to_time", to_time, f"a time after {from_time}")
    _check_why(why)
    old = next((one for one in await retention.list_duties(act.connection) if one.site_id == site_id), None)
    await retention.set_duty(
        act.connection,
        site_id,
        organisation_id,
        weekdays=sorted(weekdays),
        from_time=from_time,
        to_time=to_time,
        keep_off_duty=keep_off_duty,
    )
    new = Duty(site_id, site.name, organisation_id, sorted(weekdays), from_time, to_time, keep_off_duty)
    await act.note(
        "duty-hours.set",
        f"site {site.name}",
        organisation_id=organisation_id,
        old=None if old is None else _written(old),
        new=_written(new),
        why=why,
    )


def _check_why(why: str) -> None:
    if not 1 <= len(why.strip()) <= 500 or not why.isprintable():
        raise ActError("why", why, "a text of 1 to 500 characters in one line")


def _written(duty: Duty) -> dict[str, object]:
    return {
        "weekdays": duty.weekdays,
        "from_time": str(duty.from_time),
        "to_time": str(duty.to_time),
        "keep_off_duty": duty.keep_off_duty,
    }
