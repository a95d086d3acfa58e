"""What the page of a remote operation shows beside its transcript: procedures, interlocks, time left."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloud.job_judging import holding
from cloud.operation_acts import SILENT
from cloud.store import control_status, jobs, jobs_interlocks, shadow
from cloud.store.connection import Connection
from cloud.store.control_status import KNOWN_FOR
from cloud.store.jobs_operation import Operation
from cloud.web import interlocks_view as view
from cloud.web.figures import milliseconds
from cloud.web.interlocks_view import Badge
from cloud.web.interlocks_words import NOT_KNOWN, PHASE_KINDS, PHASES, say_word
from cloud.web.language import Language
from wire.settings.instrument import InstrumentDevice, Procedure
from wire.settings.shadow import check_text


@dataclass(frozen=True, slots=True)
class Watching:
    """One interlock that holds the work of the zone."""

    name: str
    address: str
    state: Badge


async def watching(
    connection: Connection, operation: Operation, *, at: datetime, language: Language
) -> list[Watching]:
    """Return the interlocks of the zone as they stand, of gateways and of the hub; out of use: not there."""
    kept = await jobs.get_job(connection, operation.job_id)
    if kept is None:
        return []
    found = [
        Watching(
            now.title or now.name,
            view.address_of(held.gateway, now.name),
            view.badge_of(now, known=held.is_known(at), language=language),
        )
        for held, now in holding(
            await control_status.list_held(connection, at, site=kept.site_id), kept.job.zone
        )
    ]
    here = {one.name for one in await _hub_names(connection, operation, kept.site, kept.job.zone)}
    for one in await jobs_interlocks.list_hub_interlocks(connection):
        if one.organisation_id == operation.organisation_id and one.name in here:
            known = one.stood_at is not None and at - one.stood_at <= KNOWN_FOR
            word = say_word(language, PHASES, one.phase) if known else language.say(NOT_KNOWN)
            kind = PHASE_KINDS.get(one.phase, "late") if known else "unmonitored"
            found.append(Watching(one.name, "/hub-interlocks", Badge(kind, word)))
    return found


async def _hub_names(
    connection: Connection, operation: Operation, site: str, zone: str
) -> list[jobs_interlocks.Holding]:
    listed = await jobs_interlocks.holding(connection, site, zone, operation.organisation_id)
    return [one for one in listed if one.due_from is not None]


async def procedures(
    connection: Connection, operation: Operation, *, at: datetime
) -> Sequence[Procedure] | None:
    """Return what the instrument is declared to do, by the settings that run; None: the hub does not know."""
    owner = await shadow.owner(connection, operation.gateway, at)
    if owner is None:
        return None
    told = await shadow.told(connection, owner.id)
    number = await shadow.newest(connection, owner.id) if told is None else told.running_revision or 0
    text = await shadow.document(connection, owner.id, number) or ""
    document = check_text(text)[0] if text else None
    for device in () if document is None else document.device:
        if isinstance(device, InstrumentDevice) and device.name == operation.instrument:
            return device.procedure
    return None


def arguments_of(form: Any, declared: str = "arg.") -> dict[str, str]:
    """Return the arguments that were chosen in a form, without those that were left empty."""
    return {
        name.removeprefix(declared): value.strip()
        for name, value in form.items()
        if name.startswith(declared) and value.strip()
    }


def silent_at_ms(operation: Operation) -> int:
    """Return when the session ends by itself if its operator does nothing more."""
    return milliseconds(operation.heard_at + SILENT)
