"""Takes the last import of an organisation back, whole, while nobody changed what it wrote. Audited."""

import psycopg

from cloud.identity.acts import Act, ActError, ForbiddenError, MissingError
from cloud.imports.plan import NEEDS, THINGS, visible
from cloud.store import accounts, audit_log, imports
from cloud.store.imports import Fields
from rules.permissions import Grant, Permission, Role

_SHEETS = {"points": "points", "assets": "instruments"}
"""Table -> the sheet whose permission it asks for; the others are those of people."""


async def undo(act: Act, run_id: int) -> None:
    """Take an organisation's last import back; or say by `ActError` what was changed since."""
    run = await imports.get_run(act.connection, run_id)
    if run is None or not act.viewer.may(Permission.PEOPLE_MANAGE, run.organisation_id):
        raise MissingError("import", run_id, "an existing import")
    await imports.lock(act.connection, run.organisation_id)
    last = await imports.last_run(act.connection, run.organisation_id)
    if last != run_id:
        expected = "one that is not undone" if last is None else f"the last one that is not undone, {last}"
        raise ActError("import", run_id, expected)
    changes = await imports.changes_of(act.connection, run_id)
    for change in changes:
        _check_undo(act, run.organisation_id, change)
    since = [
        why for change in reversed(changes) if (why := await _take_back(act, run.organisation_id, change))
    ]
    if since:
        more = "" if len(since) <= 10 else f", and {len(since) - 10} more"
        raise ActError("import", run_id, f"nothing changed since; but: {'; '.join(since[:10])}{more}")
    if not act.viewer.unbound and any(_makes_administrator(change) for change in changes):
        await _check_administrator(act, run_id, run.organisation_id)
    await imports.set_undone(act.connection, run_id, at=act.at, by=act.viewer.login)
    old = {"file": run.file_name, "added": run.added, "changed": run.changed}
    entries = [
        act.viewer.entry("import.undo", f"import {run_id}", organisation_id=run.organisation_id, old=old),
        *(_entry(act, run.organisation_id, change, run=run_id) for change in reversed(changes)),
    ]
    await audit_log.append(act.connection, entries, at=act.at)


def _check_undo(act: Act, organisation_id: int, change: Fields) -> None:
    """Raise `ForbiddenError` unless who asks might have entered this, and so may take it back."""
    act.need(NEEDS[_SHEETS.get(str(change["table"]), "people")], organisation_id, thing="import")
    if change["table"] == "role_grants" and not act.viewer.unbound:
        role = change["new"]
        grant = Grant(Role(role["role"]), organisation_id, role["at_site_id"])
        if not act.viewer.rights.may_grant(grant):
            raise ForbiddenError("role", grant.role, "a role that you have there yourself")


def _makes_administrator(change: Fields) -> bool:
    new = change["new"]
    return (
        change["table"] == "role_grants" and new["role"] == Role.ADMINISTRATOR and new["at_site_id"] is None
    )


async def _check_administrator(act: Act, run_id: int, organisation_id: int) -> None:
    if not await accounts.hold_administrators(act.connection, organisation_id):
        raise ActError("import", run_id, "an organisation that keeps an administrator")


async def _take_back(act: Act, organisation_id: int, change: Fields) -> str | None:
    """Take one change back; return what keeps it from that."""
    table, row_id = str(change["table"]), int(change["id"])
    place = f"{change['sheet']} row {change['row']}, {change['key']}"
    now = await imports.row_of(act.connection, table, row_id, organisation_id)
    if now is None or now != change["new"]:
        return f"{place}: {'gone' if now is None else 'changed'} since"
    try:
        async with act.connection.transaction():
            if change["old"] is None:
                await imports.remove(act.connection, table, row_id, organisation_id)
            else:
                await imports.change(
                    act.connection, table, row_id, organisation_id, old=now, new=change["old"]
                )
    except psycopg.errors.ForeignKeyViolation:
        return f"{place}: something was entered for it since"
    except psycopg.errors.UniqueViolation:
        return f"{place}: something else has since what it had"
    return None


def _entry(act: Act, organisation_id: int, change: Fields, *, run: int) -> audit_log.Entry:
    old, new = visible(change["new"]), None if change["old"] is None else visible(change["old"])
    if new is not None:
        old, new = ({name: row[name] for name in old if old[name] != new[name]} for row in (old, new))
    return act.viewer.entry(
        f"{THINGS[str(change['table'])]}.{'remove' if new is None else 'change'}",
        str(change["key"]),
        organisation_id=organisation_id,
        old=old,
        new=new,
        why=f"import {run} is undone, {change['sheet']} row {change['row']}",
    )
