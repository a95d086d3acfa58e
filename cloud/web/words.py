"""The words of the house in the language of the page: kinds, states, statuses, causes. No markup, no data.

Every message here and in the templates stands in both catalogues; a test compares them.
"""

from cloud.web.language import Language


def mark(message: str) -> str:
    """Mark a message for the catalogues without translating it yet."""
    return message


KINDS = {
    "laboratory": mark("Laboratory"),
    "mobile_lab": mark("Mobile laboratory"),
    "vehicle": mark("Vehicle"),
}
STATES = {
    "online": mark("Online"),
    "attention": mark("Needs attention"),
    "unknown": mark("Not known"),
    "partly": mark("Partly online"),
    "suspected": mark("Suspected offline"),
    "unmonitored": mark("Not monitored"),
}
FIGURES = {
    "sites": mark("sites"),
    "online": mark("online"),
    "attention": mark("needs attention"),
    "unknown": mark("not known"),
    "partly": mark("partly online"),
    "suspected": mark("suspected offline"),
    "unmonitored": mark("not monitored"),
    "silent": mark("points silent"),
}
RANGES = {
    "1h": mark("1 hour"),
    "24h": mark("24 hours"),
    "7d": mark("7 days"),
    "30d": mark("30 days"),
    "1y": mark("1 year"),
}
STATUSES = {
    "implausible": mark("Implausible, as the device gave it"),
    "time_bracketed": mark("Time bracketed by its neighbours"),
    "not_measured": mark("Not measured"),
    "invalid": mark("Invalid value from the device"),
    "over_range": mark("Over range"),
    "under_range": mark("Under range"),
    "device_error": mark("Device reports an error"),
    "stale": mark("Device says the value is stale"),
    "unknown": mark("Unknown"),
}
NEVER = mark("No reading yet")
SILENT = mark("Silent: nothing newer")
LAST_VALUE = mark("Silent: last value, %(time)s old")
ABSENT = mark("Absent")
NOT_HEARD = mark("gateway suspected offline")
UNSERVED = mark("no gateway serves this site")
NO_CAUSE_YET = mark("no cause told yet")
REMARKS = mark("%(count)s with a remark")
BAD_RANGE = mark("%(field)s is %(value)s: expected %(expected)s.")
ONE_OF = mark("one of %(words)s")
LOCAL_TIME = mark("a date and time such as 2026-11-20T08:00")
LATER = mark("a time after “from”, at most ten years later")
CAUSES = {
    "sensor": mark("Gap: sensor"),
    "radio": mark("Gap: radio"),
    "bus": mark("Gap: bus"),
    "gateway": mark("Gap: gateway"),
    "power": mark("Gap: power"),
    "storage": mark("Gap: storage"),
    "clock": mark("Gap: clock"),
    "hub": mark("Gap: hub"),
    "maintenance": mark("Gap: maintenance"),
}
CAUSE_WORDS = {
    "sensor": mark("sensor"),
    "radio": mark("radio"),
    "bus": mark("bus"),
    "gateway": mark("gateway"),
    "power": mark("power"),
    "storage": mark("storage"),
    "clock": mark("clock"),
    "hub": mark("hub"),
    "maintenance": mark("maintenance"),
}
NOT_ALLOWED = mark("You may not see this or do this. Ask an administrator.")
NO_ROLE = mark(
    "No role was given to you yet, so there is nothing to show. Ask who invited you, or another administrator"
    " of your organisation, to give you one; then load this page again."
)
NOT_HERE = mark("There is nothing at this address.")
NO_DATABASE = mark("The hub's database does not answer. Gateways keep their readings; try again later.")
DEFECT = mark("This is a defect of the hub; its log says more. What gateways send is stored all the same.")
UNEXPLAINED = mark("No evidence, unexplained")
NO_READINGS_24H = mark("no readings in the last 24 hours")
SPARK = mark(
    "lowest %(low)s %(unit)s, highest %(high)s %(unit)s; readings in %(share)s %% of the last 24 hours"
)
EVENTS = {
    "gateway_online": mark("Gateway online"),
    "gateway_backlog": mark("Waiting on the gateway"),
    "gateway_offline": mark("Gateway suspected offline: connection ended"),
    "gateway_suspected_offline": mark("Gateway suspected offline: not heard"),
    "gateway_started": mark("Gateway started"),
    "gateway_stopped": mark("Gateway stopped"),
    "certificate_renewed": mark("Certificate renewed"),
    "certificate_refused": mark("No new certificate"),
    "certificate_ending": mark("Certificate ends and is not renewed by itself"),
    "hub_key_added": mark("New key of the hub"),
    "journal_damaged": mark("Journal damaged"),
    "driver_failed": mark("Driver failed"),
    "part_failed": mark("Part of the gateway failed"),
    "events_lost": mark("Events lost: journal full"),
    "journal_epoch": mark("New journal epoch"),
    "clock_found": mark("Time found"),
    "clock_holdover": mark("Time in holdover"),
    "clock_agrees": mark("Time sources agree"),
    "clock_disagrees": mark("Time sources disagree"),
    "candidate_seen": mark("Device seen that is not configured"),
    "output_asked": mark("Output is to be set"),
    "output_set": mark("Output set"),
    "output_failed": mark("Output not set"),
    "settings_applied": mark("Settings applied"),
    "settings_kept": mark("Settings kept after the watch"),
    "settings_refused": mark("Settings refused"),
    "settings_rolled_back": mark("Settings rolled back"),
    "settings_staged": mark("Settings received"),
    "power_lost": mark("Power lost"),
    "power_restored": mark("Power restored"),
    "power_unknown": mark("Power unknown"),
    "battery_low": mark("Battery low"),
    "radio_step": mark("Step to recover a radio"),
    "radio_failed": mark("Radio failed"),
    "radio_recovered": mark("Radio recovered"),
    "sensor_refused": mark("Sensor not believed"),
    "sensor_restarted": mark("Sensor restarted"),
    "counter_learned": mark("Counter of a sensor learned"),
    "counter_reset": mark("Counter of a sensor reset"),
    "button_used": mark("Button used"),
    "dimmer_used": mark("Dimmer used"),
    "door_opened": mark("Door opened"),
    "door_closed": mark("Door closed"),
    "exit_requested": mark("Exit requested"),
    "exit_request_ended": mark("Exit button let go"),
    "fire_released": mark("Fire release"),
    "fire_release_ended": mark("Fire release ended"),
    "tampered": mark("Tampered"),
    "tamper_ended": mark("Tamper contact closed again"),
    "ignition_on": mark("Ignition on"),
    "ignition_off": mark("Ignition off"),
    "input_chatter": mark("Input chatters: its state is unknown"),
    "input_chatter_ended": mark("Input has settled"),
    "input_glitches": mark("Short pulses at an input"),
    "edges_lost": mark("Edges lost: more than the gateway could take"),
    "output_contact_wrong": mark("Contact contradicts the output"),
    "output_contact_right": mark("Contact agrees with the output again"),
    "reader_line_low": mark("Wires of the reader low"),
    "reader_line_idle": mark("Wires of the reader idle again"),
    "person_identified": mark("Person identified"),
    "person_refused": mark("Person refused by the terminal"),
    "intake_refused": mark("Requests from the LAN refused"),
    "record_time_unused": mark("Time of a record not used"),
    "record_unfit": mark("Record cannot be used"),
    "zone_entered": mark("Entered the zone"),
    "zone_dwelled": mark("Stayed in the zone"),
    "zone_left": mark("Left the zone"),
    "sensor_implausible": mark("Sensor says what it cannot"),
    "antenna_changed": mark("Antenna changed"),
    "jamming_changed": mark("Jamming changed"),
    "gnss_time_doubted": mark("Time of a receiver not believed"),
    "shutdown_planned": mark("Shutdown planned"),
    "shutdown_started": mark("Shutdown started"),
    "shutdown_cancelled": mark("Shutdown cancelled"),
    "bearer_changed": mark("Uplink on another bearer"),
    "operator_changed": mark("Mobile network of another operator"),
    "budget_thinning": mark("Data budget: readings thinned"),
    "budget_spent": mark("Data budget spent: events only"),
    "budget_full_rate": mark("Data budget: every reading again"),
    "card_read": mark("Card read"),
    "card_unreadable": mark("Card not readable"),
    "pin_entered": mark("PIN entered"),
    "pin_dropped": mark("PIN not completed"),
    "reader_online": mark("Reader has a secure session"),
    "reader_session_lost": mark("Session of a reader lost"),
    "reader_offline": mark("Reader offline"),
    "reader_key_refused": mark("Key of a reader refused"),
    "reader_tampered": mark("Reader opened"),
    "reader_untampered": mark("Reader closed again"),
    "reader_power_failing": mark("Supply of a reader failing"),
    "reader_power_good": mark("Supply of a reader good"),
    "reader_clear_text": mark("Reader answered in clear"),
    "bus_foreign_command": mark("Another controller on the line"),
    "install_opened": mark("Pairing of a reader opened"),
    "install_closed": mark("Pairing of a reader closed"),
    "picture": mark("Picture taken"),
    "picture_missing": mark("No picture could be taken"),
    "picture_dropped": mark("Picture lost before it was sent"),
    "picture_uploaded": mark("Picture sent to the hub"),
    "picture_refused": mark("Picture refused by the hub"),
    "recording_uploaded": mark("Recording sent to the hub"),
    "camera_frozen": mark("Camera: the picture is frozen"),
    "camera_moving": mark("Camera: the picture moves again"),
    "camera_motion": mark("Camera sees motion"),
    "camera_motion_ended": mark("Camera sees no motion any more"),
    "camera_tampered": mark("Camera says it is tampered with"),
    "camera_tamper_ended": mark("Camera is not tampered with any more"),
    "camera_identified": mark("Camera says what it is"),
    "instrument_identified": mark("Instrument says what it is"),
    "instrument_strange": mark("Another instrument than the declared one"),
    "instrument_error": mark("Instrument tells an error"),
    "transcript_sealed": mark("Hash of the instrument's transcript"),
    "transcript_closed": mark("Instrument's transcript closed"),
    "transcript_found": mark("Instrument's transcript left open, found"),
    "data_file": mark("Instrument's data kept"),
    "procedure_done": mark("Procedure done"),
    "procedure_failed": mark("Procedure not done to its end"),
    "interlock_tripped": mark("Interlock tripped"),
    "interlock_breached": mark("Another cause while the interlock was tripped"),
    "interlock_ready": mark("Interlock ready to be reset"),
    "interlock_not_ready": mark("Interlock not ready to be reset any more"),
    "interlock_acknowledged": mark("Interlock acknowledged"),
    "interlock_reset": mark("Interlock reset"),
    "interlock_enabled": mark("Interlock enabled"),
    "interlock_resumed": mark("Interlock went on by itself after a restart"),
    "interlock_bypassed": mark("Cause of an interlock bypassed"),
    "interlock_bypass_ended": mark("Bypass of a cause ended"),
    "interlock_check_due": mark("Check of a device due"),
    "interlock_check_passed": mark("Check of a device passed"),
    "interlock_refused": mark("Interlock refused what was asked"),
    "interlock_voted": mark("Cause of an interlock votes"),
    "interlock_cleared": mark("Cause of an interlock votes no more"),
    "interlock_asked": mark("Asked of an interlock"),
    "interlock_doubtful": mark("Rule of an interlock can hardly be met"),
    "work_held": mark("Work in a zone held"),
    "work_released": mark("Work in a zone held no more"),
    "work_refused": mark("Jobs and calibrations of the hub refused"),
    "files_dropped": mark("Oldest files dropped: no room"),
    "access_granted": mark("Entry granted"),
    "access_refused": mark("Entry refused"),
    "access_passed": mark("Somebody went through"),
    "access_no_entry": mark("Somebody was let in and did not come"),
    "access_late": mark("Card shown while the gateway stood still: recorded alone"),
    "access_not_opened": mark("Entry granted, door not opened"),
    "access_too_few": mark("Fewer people inside than there have to be"),
    "access_visitor_alone": mark("Visitor without an escort"),
    "access_unauthorised_entry": mark("Entry without authorisation of the head"),
    "access_placed": mark("Whereabouts of somebody entered by hand"),
    "access_state_lost": mark("Who is inside is not known any more"),
    "door_forced": mark("Door forced"),
    "door_held": mark("Door held open"),
    "door_shut": mark("Door that was forced or held open is shut"),
    "door_opened_by_command": mark("Door opened by command"),
    "exit_opened": mark("Door opened by the exit button"),
    "lock_down": mark("Lock-down begun or ended"),
    "equipment_enabled": mark("Equipment may be used"),
    "equipment_disabled": mark("Equipment may not be used"),
    "rights_taken": mark("Access rights taken over"),
    "rights_refused": mark("Access rights refused"),
    "rights_lost": mark("Kept access rights cannot be read"),
    "rights_not_kept": mark("Access rights came that the disk does not take: those before stay in force"),
    "command_receipt": mark("Answer to a command"),
    "command_unreadable": mark("Command that cannot be read"),
    "panel_asked": mark("Asked at the panel"),
    "regulation_adjusted": mark("Regulation: set, confirmed by the device"),
    "regulation_in_range": mark("Regulation: back in range"),
    "regulation_closed": mark("Regulation: confirmed by the device, nothing more is asked"),
    "regulation_deviates": mark("Regulation: out of range"),
    "regulation_waiting": mark("Regulation: an interlock holds the output"),
    "regulation_failed": mark("Regulation: not set"),
    "regulation_called": mark("Regulation: not back in range, a person is called"),
}
FIX_MODES = {0: mark("unknown"), 1: mark("no fix"), 2: mark("2D fix"), 3: mark("3D fix")}
BROWSER = {
    "ago": mark("%(time)s ago"),
    "late": mark("late"),
    "silent": SILENT,
    "last_value": LAST_VALUE,
    "last_place": mark("No fix: last place, %(time)s old"),
    "unexplained": UNEXPLAINED,
    "last_known": mark("Last known: %(state)s"),
    "absent": ABSENT,
    "gap": mark("Gap"),
    "remarks": REMARKS,
    "still_open": mark("still open"),
    "no_readings": mark("No readings in this range"),
    "extent": mark("lowest %(low)s, highest %(high)s"),
    "chart_failed": mark("The hub did not answer; reload the page to try again."),
    "newest_rows": mark("The newest %(count)s rows; the API gives all of them."),
    "time": mark("Time"),
    "value": mark("Value"),
    "lowest": mark("Lowest"),
    "highest": mark("Highest"),
    "remark": mark("Remark"),
    "map_failed": mark("The hub gave no positions; reload the page to try again."),
    "map_needs_webgl": mark("This browser cannot draw maps (no WebGL). The list gives the same positions."),
}
UNITS = {"s": mark("s"), "min": mark("min"), "h": mark("h"), "d": mark("d")}
MAP_LOCALE = {
    "Map.Title": mark("Map"),
    "Marker.Title": mark("Vehicle on the map"),
    "NavigationControl.ZoomIn": mark("Zoom in"),
    "NavigationControl.ZoomOut": mark("Zoom out"),
    "AttributionControl.ToggleAttribution": mark("Show or hide the source of the map"),
    "ScaleControl.Meters": mark("m"),
    "ScaleControl.Kilometers": mark("km"),
}


def for_browser(language: Language) -> dict[str, object]:
    """Return the words that the pages' scripts need."""
    say = language.say
    return {
        **{key: say(message) for key, message in BROWSER.items()},
        "units": {key: say(message) for key, message in UNITS.items()},
        "map_locale": {key: say(message) for key, message in MAP_LOCALE.items()},
    }


def ago(language: Language, age_ms: int) -> str:
    """Return how long ago (as `live.js` writes it)."""
    return language.say(BROWSER["ago"]) % {"time": duration(language, age_ms)}


def duration(language: Language, age_ms: int) -> str:
    """Return a time span in the coarsest unit that keeps two digits (as `live.js` writes it)."""
    seconds = max(0, age_ms // 1000)
    count, unit = (
        (seconds, "s")
        if seconds < 120
        else (seconds // 60, "min")
        if seconds < 7200
        else (seconds // 3600, "h")
        if seconds < 172_800
        else (seconds // 86_400, "d")
    )
    return f"{count}\N{NARROW NO-BREAK SPACE}{language.say(UNITS[unit])}"
