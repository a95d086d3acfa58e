"""Events over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from cloud.api.errors import refused
from cloud.api.guard import needs
from cloud.api.services import Db, During, GatewayName, Limit, Page, SiteId, Word, page
from cloud.api.strict import StrictRoute
from cloud.store.events_read import Event, list_events
from rules.permissions import Permission

router = APIRouter(prefix="/api/events", tags=["events"], route_class=StrictRoute)

KINDS = (
    "antenna_changed",
    "battery_low",
    "bearer_changed",
    "budget_full_rate",
    "budget_spent",
    "budget_thinning",
    "bus_foreign_command",
    "button_used",
    "camera_frozen",
    "camera_identified",
    "camera_motion",
    "camera_motion_ended",
    "camera_moving",
    "camera_tamper_ended",
    "camera_tampered",
    "candidate_seen",
    "card_read",
    "card_unreadable",
    "certificate_refused",
    "certificate_renewed",
    "clock_agrees",
    "clock_disagrees",
    "clock_found",
    "clock_holdover",
    "counter_learned",
    "counter_reset",
    "data_file",
    "dimmer_used",
    "door_closed",
    "door_opened",
    "driver_failed",
    "edges_lost",
    "events_lost",
    "exit_request_ended",
    "exit_requested",
    "files_dropped",
    "fire_release_ended",
    "fire_released",
    "gateway_offline",
    "gateway_online",
    "gateway_started",
    "gateway_stopped",
    "gateway_suspected_offline",
    "gnss_time_doubted",
    "hub_key_added",
    "ignition_off",
    "ignition_on",
    "input_chatter",
    "input_chatter_ended",
    "input_glitches",
    "install_closed",
    "install_opened",
    "instrument_error",
    "instrument_identified",
    "instrument_strange",
    "intake_refused",
    "jamming_changed",
    "journal_damaged",
    "journal_epoch",
    "output_contact_right",
    "output_contact_wrong",
    "operator_changed",
    "output_failed",
    "output_set",
    "part_failed",
    "person_identified",
    "person_refused",
    "picture",
    "picture_dropped",
    "picture_missing",
    "picture_refused",
    "picture_uploaded",
    "pin_dropped",
    "pin_entered",
    "power_lost",
    "power_restored",
    "power_unknown",
    "procedure_done",
    "procedure_failed",
    "radio_failed",
    "radio_recovered",
    "radio_step",
    "reader_clear_text",
    "reader_key_refused",
    "reader_line_idle",
    "reader_line_low",
    "reader_offline",
    "reader_online",
    "reader_power_failing",
    "reader_power_good",
    "reader_session_lost",
    "reader_tampered",
    "reader_untampered",
    "record_time_unused",
    "record_unfit",
    "recording_uploaded",
    "sensor_implausible",
    "sensor_refused",
    "sensor_restarted",
    "settings_applied",
    "settings_refused",
    "shutdown_cancelled",
    "shutdown_planned",
    "shutdown_started",
    "tamper_ended",
    "tampered",
    "transcript_closed",
    "transcript_found",
    "transcript_sealed",
    "zone_dwelled",
    "zone_entered",
    "zone_left",
)
"""What this version records; newer gateways may send more."""


@router.get("", response_model=Page[Event], summary="What happened")
@needs(Permission.EVENTS_READ)
async def events(
    db: Db,
    during: During,
    site_id: SiteId,
    gateway: GatewayName,
    kind: Word = None,
    before: Annotated[int | None, Query(ge=1, le=2**62, description="`next` of the part before.")] = None,
    limit: Limit = 100,
) -> Response:
    """List events of an interval, the last stored first."""
    found = await list_events(
        db,
        during.from_at,
        during.to_at,
        site_id=site_id,
        gateway=gateway,
        kind=kind,
        before=before,
        limit=limit + 1,
    )
    if not found and kind is not None and kind not in KINDS:
        raise refused("kind", kind, f"one of {', '.join(KINDS)}, or another one of which there are events")
    return page(found, limit, lambda event: event.id)
