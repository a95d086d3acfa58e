"""Imports as acts: preview, apply whole or not at all. Audited."""

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from cloud.identity.acts import Act, ActError
from cloud.imports.cards import key_id
from cloud.imports.known import Known, load
from cloud.imports.plan import THINGS, Planner, Step, resolved
from cloud.imports.sheets import Record, read_records
from cloud.imports.workbook import Fault, UnreadableError, read_workbook
from cloud.store import audit_log, imports
from cloud.store.imports import Fields
from rules.permissions import Permission

SHOWN_MAX = 1000
"""So many faults and so many changes are told at most; how many there are is told always."""
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field before and after; empty where there was or is nothing."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class RowChange:
    """What one row would do."""

    sheet: str
    row: int
    what: str
    action: str
    """`add` or `change`."""
    fields: list[FieldChange]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file would do; it is applied only when it has no fault."""

    file_sha256: str
    """Hexadecimal."""
    added: int
    changed: int
    unchanged: int
    changes: list[RowChange]
    """The first 1,000."""
    fault_count: int
    faults: list[Fault]
    """The first 1,000."""


class FaultyError(Exception):
    """A file that is not applied because of its faults."""

    def __init__(self, preview: Preview) -> None:
        super().__init__(f"{preview.fault_count} faults: expected none")
        self.preview = preview


async def preview(act: Act, organisation_id: int, body: bytes) -> Preview:
    """Return what a file would add and change, and all of its faults; nothing is written."""
    steps, faults, _ = await _plan(act, organisation_id, body)
    return _preview(body, steps, faults)


async def apply(act: Act, organisation_id: int, body: bytes, *, file_name: str) -> tuple[int | None, Preview]:
    """Write all of a file and return the import's id, None when there was nothing to do.

    Raises `FaultyError` when anything is wrong, and `ActError` when somebody else changed meanwhile what it
    changes; the caller's transaction then keeps nothing.
    """
    steps, faults, known = await _plan(act, organisation_id, body)
    told = _preview(body, steps, faults)
    if faults:
        raise FaultyError(told)
    changes = await _write(act, known, [step for step in steps if step.action != "unchanged"])
    if not changes:
        return None, told
    run = await imports.add_run(
        act.connection,
        organisation_id,
        file_name=file_name[:200],
        sha256=hashlib.sha256(body).digest(),
        author=act.viewer.login,
        at=act.at,
        changes=changes,
    )
    summary = {
        "file": file_name[:200],
        "sha256": told.file_sha256,
        "added": told.added,
        "changed": told.changed,
    }
    entries = [
        act.viewer.entry("import.apply", f"import {run}", organisation_id=organisation_id, new=summary),
        *(_entry(act, organisation_id, step, run=run) for step in steps if step.action != "unchanged"),
    ]
    await audit_log.append(act.connection, entries, at=act.at)
    return run, told


async def _plan(act: Act, organisation_id: int, body: bytes) -> tuple[list[Step], list[Fault], Known]:
    act.need(Permission.PEOPLE_MANAGE, organisation_id, thing="import")
    await imports.lock(act.connection, organisation_id)
    known = await load(act.connection, organisation_id, now=act.at, spare_key=secrets.token_bytes(_KEY_BYTES))
    try:
        records, faults = await asyncio.to_thread(_read, body)
    except UnreadableError as error:
        return [], [Fault("", 0, "", "", str(error))], known
    planner = Planner(known, act.viewer)
    steps = planner.plan(records)
    places = {record.sheet: place for place, record in reversed(list(enumerate(records)))}
    every = [*faults, *planner.faults]
    return steps, sorted(every, key=lambda one: (places.get(one.sheet, -1), one.sheet, one.row)), known


def _read(body: bytes) -> tuple[list[Record], list[Fault]]:
    return read_records(*read_workbook(body))


async def _write(act: Act, known: Known, steps: Sequence[Step]) -> list[Fields]:
    organisation_id, connection = known.organisation_id, act.connection
    if any(step.table == "credentials" and step.old is None for step in steps):
        await _keep_key(act, known)
    made: dict[str, int] = {}
    changes: list[Fields] = []
    for step in steps:
        fields = resolved(step.new, made)
        if step.id is None:
            try:
                row_id, new = await imports.add(connection, step.table, organisation_id, fields)
            except psycopg.errors.UniqueViolation:
                raise _meanwhile(step) from None
            made[step.key] = row_id
        else:
            row_id = step.id
            changed = await imports.change(
                connection, step.table, row_id, organisation_id, old=step.old or {}, new=fields
            )
            if changed is None:
                raise _meanwhile(step)
            new = changed
        place = {"sheet": step.sheet, "row": step.row, "key": step.key, "table": step.table}
        changes.append({**place, "id": row_id, "old": step.old, "new": new})
    return changes


def _meanwhile(step: Step) -> ActError:
    place = f"{step.sheet} row {step.row}, {step.key}"
    return ActError("file", place, "what nobody else changes at the same time; preview the file again")


async def _keep_key(act: Act, known: Known) -> None:
    """Keep the key that the hashes were made with, when the organisation has none yet."""
    if not await imports.credential_keys(act.connection, known.organisation_id):
        key = known.keys[0]
        await imports.add_credential_key(act.connection, known.organisation_id, key_id(key), key, at=act.at)
        new = {"key_id": key_id(key)}
        await act.note(
            "credential-key.make", "key of credentials", organisation_id=known.organisation_id, new=new
        )


def _entry(act: Act, organisation_id: int, step: Step, *, run: int) -> audit_log.Entry:
    word = "add" if step.old is None else "change"
    shown = step.shown()
    return act.viewer.entry(
        f"{THINGS[step.table]}.{word}",
        step.key,
        organisation_id=organisation_id,
        old=None if step.old is None else {name: before for name, (before, _) in shown.items()},
        new={name: after for name, (_, after) in shown.items()},
        why=f"import {run}, {step.sheet} row {step.row}",
    )


def _preview(body: bytes, steps: Sequence[Step], faults: Sequence[Fault]) -> Preview:
    changes = [
        RowChange(
            step.sheet,
            step.row,
            step.key,
            step.action,
            [FieldChange(name, before, after) for name, (before, after) in step.shown().items()],
        )
        for step in steps
        if step.action != "unchanged"
    ]
    added = sum(step.action == "add" for step in steps)
    return Preview(
        file_sha256=hashlib.sha256(body).hexdigest(),
        added=added,
        changed=len(changes) - added,
        unchanged=len(steps) - len(changes),
        changes=changes[:SHOWN_MAX],
        fault_count=len(faults),
        faults=list(faults[:SHOWN_MAX]),
    )
