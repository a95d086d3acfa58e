"""What gateways say of gaps and events in English, in the language of the page. Pure; no markup.

The sentences are written at the edge and stored as they came. Each stands here once as a pattern with its
variable parts; a test compares them with the edge. A text that is not known is shown as it was written.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from cloud.web.language import Language
from cloud.web.words import mark

REASONS = (
    # of the gateway itself
    mark("the next reading came late"),
    mark("the gateway was stopped or overloaded"),
    mark("gateway was not running"),
    mark("driver ended"),
    mark("its settings changed"),
    # of doors
    mark("key of credentials: %(why)s"),
    mark("portal %(name)s: %(told)s (%(why)s)"),
    mark("it was shut meanwhile"),
    mark("%(name)s: nobody said which value is towards safety"),
    # of commands, regulation and the panel
    mark("an interlock holds the output"),
    mark("it is not known what is wished for"),
    mark("at the panel"),
    mark("this gateway has no %(what)s"),
    # of a Modbus line
    mark("connection closed by the device"),
    mark("connection lost while waiting for an answer"),
    mark("no answer within %(time)s s"),
    mark("answer to another question (transaction, unit, function %(given)s: expected %(expected)s)"),
    mark("the gateway cannot reach the unit (Modbus exception %(code)s)"),
    mark("Modbus exception %(code)s"),
    mark("answer of %(count)s registers: expected %(expected)s"),
    mark("the answer was read too late to say when it was measured"),
    # of a UPS
    mark("cannot connect to NUT at %(host)s port %(port)s: %(why)s"),
    mark("the NUT server closed the connection"),
    mark("NUT answers %(code)s"),
    mark("more than %(count)s variables"),
    mark("a line of more than %(count)s bytes"),
    mark("no answer from %(host)s port %(port)s within %(time)s s"),
    # of a GNSS receiver
    mark("cannot connect to gpsd at %(host)s port %(port)s: %(why)s"),
    mark("gpsd closed the connection"),
    mark("gpsd sent a line of more than %(count)s bytes"),
    mark("gpsd says: %(why)s"),
    mark("the receiver reported nothing for %(time)s s"),
    # of the journal
    mark("older than the journal keeps"),
    mark("journal full"),
    mark("journal full or damaged"),
    mark("a page is not as it was written"),
    mark("saving what was left of it was interrupted"),
    mark("the log of a journal that was in use is gone"),
    mark("the file is gone, its log is there"),
    mark("log: frame %(number)s was changed after it was written"),
    mark("log: %(count)s frames were written, %(left)s are left"),
    mark("pending row %(number)s: wrong checksum"),
    mark("sealed row %(number)s: wrong checksum"),
    mark("state row %(name)s: wrong checksum"),
    mark("pending row %(number)s: %(why)s"),
    mark("%(file)s has format versions %(version)s"),
    mark("%(file)s is no journal"),
    mark("%(file)s has schema version %(version)s"),
    mark("%(file)s has other tables than a journal"),
    mark("SQLite: text that is none"),
    mark("SQLite: %(why)s"),
    # of an output
    mark("%(name)s: no output of that name; known are %(names)s"),
    mark("%(name)s: %(count)s: expected %(low)s to %(high)s"),
    mark("%(name)s: %(count)s is %(moved)s from %(before)s: expected at most %(most)s"),
    mark("%(name)s: written %(time)s s ago: expected %(rest)s s of rest"),
    mark("%(name)s: its driver failed: %(error)s"),
    mark("%(name)s: its time is over meanwhile"),
    mark("the work there is held"),
    mark("%(name)s: %(count)s was written, the device %(told)s after %(time)s s"),
    mark("says nothing"),
    mark("says %(value)s"),
    # of card readers
    mark("no answer"),
    mark("no answer, %(count)s bytes of noise"),
    mark("being paired"),
    mark("not paired within %(time)s minutes"),
    mark("closed by hand"),
    mark("the reader has its own key"),
    mark("the reader refused command %(command)s: %(why)s"),
    mark("bad check bytes"),
    mark("bad length"),
    mark("unknown command"),
    mark("unexpected sequence number"),
    mark("no secure channel of this kind"),
    mark("secure channel needed"),
    mark("no reason that can be read"),
    mark("the reader has another key, or still the default one"),
    mark("the reader does not accept our key"),
    mark("the reader says that it has no secure channel"),
    mark("the reader answered command %(command)s with %(reply)s"),
    mark("default key refused"),
    mark("command %(command)s in clear refused"),
    mark("%(path)s: another process has the line"),
    mark("%(path)s: expected a serial line"),
    mark("%(path)s: the line was hung up"),
    mark("%(file)s: no key; pair the reader, or write its key there"),
    mark("%(file)s: mode %(given)s: expected a file of mode %(expected)s"),
    mark("%(file)s: expected %(count)s hexadecimal digits and nothing else"),
    mark("%(file)s: the default key (SCBK-D), which everybody knows: expected a key of its own"),
    mark("%(file)s: a key that anybody guesses: expected a random one"),
    mark("parity of a %(name)s frame: %(count)s of %(most)s wrong"),
    mark("%(count)s bits: expected the length of %(names)s"),
    # of a modem
    mark("ModemManager shows no modem"),
    mark("ModemManager is not there"),
    mark("ModemManager says %(error)s to %(call)s"),
    mark("ModemManager: expected a list of modems"),
    mark("ModemManager does not answer within %(time)s s"),
    mark("SignalQuality: expected 0 to 100 and whether it is recent"),
    mark("%(name)s: expected a table"),
    mark("%(name)s: expected a number with a fraction"),
    mark("%(name)s: expected text"),
    mark("%(name)s: expected %(low)s to %(high)s"),
    # of a Bluetooth radio and its sensors
    mark("the sensor was not heard for %(time)s s"),
    mark("the sensor sent nothing new for %(time)s s"),
    mark("nothing was heard for %(time)s s"),
    mark("its counter went back to %(count)s, below %(low)s"),
    mark("does not decrypt with the configured key"),
    mark("not encrypted although a key is configured"),
    mark("encrypted, and no key is configured"),
    mark("key file %(file)s: %(given)s characters, expected %(expected)s hex digits"),
    mark("key file %(file)s: %(why)s"),
    mark("there is no Bluetooth adapter"),
    mark("there is no Bluetooth adapter %(name)s"),
    mark("there is no other adapter"),
    mark("adapter %(name)s is switched off"),
    mark("adapter %(name)s was switched off"),
    mark("adapter %(name)s is gone"),
    mark("adapter %(name)s does not answer"),
    mark("adapter %(name)s did not come back"),
    mark("adapter %(name)s: %(why)s"),
    mark("the adapter is on no USB"),
    mark("the Bluetooth service ended"),
    mark("the Bluetooth service is new"),
    mark("the Bluetooth service is not there"),
    mark("BlueZ does not answer %(question)s"),
    mark("BlueZ says %(answer)s to %(question)s"),
    mark("BlueZ says %(answer)s"),
    mark("cannot connect to D-Bus: %(why)s"),
    mark("the connection to D-Bus was lost"),
    mark("D-Bus: %(why)s"),
    mark("USB: %(why)s"),
    # of the kernel's sensors
    mark("no folder %(name)s"),
    mark("no %(kind)s sensor %(name)s"),
    mark("%(count)s %(kind)s sensors %(name)s (%(names)s): expected one"),
    mark("%(name)s is not at %(place)s any more"),
    mark("%(name)s went away while it was read"),
    mark("a read took longer than %(time)s s"),
    mark("the read before this one has not returned yet"),
    mark("scale %(given)s: expected %(expected)s"),
    # of power and time
    mark("the driver of NUT has lost the UPS and looks for it"),
    mark("battery charge %(count)s percent"),
    mark("battery for %(time)s s"),
    mark("battery low"),
    mark("power unknown, last known: the battery carried"),
    mark("power unknown, last known: mains"),
    mark("ignition off"),
    mark("a date that cannot be, as after a rollover of weeks"),
    mark("leap seconds %(given)s: expected %(expected)s or more"),
    mark("a step of %(time)s ms between two fixes"),
    # of pins, terminals and sensors that send by themselves
    mark("no module RPi.GPIO: install the extra pi (rpi-lgpio)"),
    mark("RPi.GPIO: %(why)s"),
    mark("pin %(number)s: %(why)s"),
    mark("%(name)s: the pins of %(device)s are not open"),
    mark("the terminal posted nothing for %(time)s s"),
    mark("no record for %(time)s s"),
    mark("the broker was lost: %(why)s"),
    mark("broker %(host)s port %(port)s: %(why)s"),
    mark("the gateway does not know the time"),
    mark("older than age_max_s"),
    mark("further ahead than future_max_s"),
    mark("before the silence that it ends"),
    mark("the record has no %(part)s"),
    mark("a text that texts does not have"),
    mark("unit %(unit)s: not one of %(quantity)s"),
    mark("beyond 64 bits"),
    mark("unknown key"),
    mark("too many wrong keys"),
    mark("more than per_minute allows"),
    mark("counter was used before"),
    mark("connection not allowed"),
    mark("not what the mapping expects"),
    mark("not a pack"),
    mark("retained: nobody knows how old it is"),
    mark("too large"),
    # of pins, readers and the LAN
    mark("the command was not taken (%(code)s)"),
    # of outputs
    mark("interrupted"),
    mark("its command was not carried out"),
    mark("%(name)s: the device does not say where it stands, and it may move by at most %(count)s"),
    mark("%(name)s: %(count)s is not its safe state, and the disk takes nothing now"),
    mark("%(name)s: its settings changed meanwhile"),
    mark("%(name)s: its safe state was asked for meanwhile"),
    mark("answer to a write of another place or value"),
    mark("did not answer before; it rests for %(time)s s, lest answers be swapped"),
    mark("the line does not become quiet: another master, or something broken"),
    # of instruments and cameras
    mark("%(name)s: argument %(given)s is not declared"),
    mark("not the declared instrument: %(given)s"),
    mark("ffmpeg ended without a word"),
    mark("ffmpeg failed; its words are in the gateway's log"),
    mark("the camera forbids this stream"),
    mark("the camera has no stream at this address"),
    mark("the camera serves too many already"),
    mark("the camera has a fault of its own"),
    mark("the camera refuses the request"),
    mark("there is no video in the stream"),
    mark("the camera knows no such transport"),
    mark("what came is no video that can be read"),
    mark("the camera ended the stream"),
    mark("the stream broke off"),
    mark("the camera was not there"),
    mark("no frame within a second"),
    mark("not done within %(time)s s"),
    mark("%(name)s is not installed"),
    mark("ONVIF: no answer within %(time)s s"),
    mark("ONVIF: the camera's certificate is not trusted"),
    mark("ONVIF: an answer that is no HTTP"),
    mark("ONVIF: cannot connect: %(why)s"),
    mark("ONVIF: %(why)s"),
    mark("the camera refuses user and password"),
    mark("the camera refuses: %(told)s"),
    mark("the camera wants a login of another kind"),
    mark("the camera has no media service"),
    mark("the camera has no profile"),
    mark("no profile %(name)s: expected one of %(names)s"),
    mark("the camera does not say its UTC"),
    mark("the camera's UTC is no time"),
    mark("the camera's stream address is none"),
    mark("the camera's stream address is none that can be used"),
    mark("an answer of more than %(count)s bytes"),
    mark("an answer that is no UTF-8"),
    mark("an answer with a document type"),
    mark("an answer that is no XML"),
    mark("an answer that is no SOAP"),
    mark("HTTP status %(code)s"),
    mark("no new frame for %(time)s s"),
    mark("recording: %(why)s"),
    # of settings
    mark("no longer in the settings"),
    # of the operating system, inside one of the others
    mark("Connection refused"),
    mark("Connection reset by peer"),
    mark("Connection timed out"),
    mark("Connect call failed %(address)s"),
    mark("No route to host"),
    mark("Network is unreachable"),
    mark("Host is down"),
    mark("Name or service not known"),
    mark("Temporary failure in name resolution"),
    mark("No space left on device"),
    # of SQLite, inside one of the others
    mark("database disk image is malformed"),
    mark("file is not a database"),
    mark("disk I/O error"),
    # what fits more than it should goes last
    mark("cannot connect to %(host)s port %(port)s"),
    mark("%(host)s port %(port)s: %(why)s"),
    mark("%(given)s: expected %(expected)s"),
    mark("%(name)s is not open"),
)
"""The first one that fits is taken."""
INSIDE = frozenset({"why", "told"})
"""Parts that are such a text themselves."""

KEYS = {
    "reason": mark("reason"),
    "software": mark("software"),
    "clean_stop_before": mark("clean stop before"),
    "source": mark("source"),
    "bound_ms": mark("error bound (ms)"),
    "away_ms": mark("away (ms)"),
    "readings": mark("readings"),
    "batches": mark("sealed batches"),
    "late": mark("read late"),
    "between_ms": mark("happened at most so long before (ms)"),
    "count": mark("count"),
    "flags": mark("UPS flags"),
    "device": mark("device"),
    "counts": mark("counts"),
    "exponent": mark("exponent"),
    "value": mark("value"),
    "by": mark("set by"),
    "added": mark("added"),
    "changed": mark("changed"),
    "removed": mark("removed"),
    "faults": mark("faults"),
    "first": mark("first of them"),
    "revision": mark("revision"),
    "too_large": mark("data too large"),
    "step": mark("step"),
    "outcome": mark("outcome"),
    "adapter": mark("adapter"),
    "refusal": mark("refusal"),
    "sequence": mark("sequence"),
    "before": mark("before"),
    "counter": mark("counter"),
    "reset": mark("reset"),
    "lowest": mark("lowest expected"),
    "number": mark("number"),
    "action": mark("action"),
    "steps": mark("steps"),
    "zone": mark("zone"),
    "kind": mark("kind"),
    "after_ms": mark("after (ms)"),
    "rssi": mark("signal level (dBm)"),
    "format": mark("format"),
    "antenna": mark("antenna"),
    "jamming": mark("jamming"),
    "in_s": mark("in (s)"),
    "chip": mark("chip"),
    "to": mark("to"),
    "from": mark("from"),
    "interface_before": mark("interface before"),
    "stride": mark("one reading in"),
    "operator": mark("operator"),
    "day_bytes": mark("bytes of the day"),
    "month_bytes": mark("bytes of the month"),
    "bits": mark("bits"),
    "masked": mark("shown"),
    "token": mark("token"),
    "key_id": mark("key"),
    "valid_until": mark("valid until"),
    "sessions": mark("sessions"),
    "identity": mark("identity"),
    "address": mark("address"),
    "reply": mark("reply"),
    "paired": mark("paired"),
    "minutes": mark("minutes"),
    "edges": mark("edges"),
    "away": mark("while away"),
    "contact": mark("contact"),
    "factor": mark("factor"),
    "door": mark("door"),
    "terminal_time": mark("terminal's time"),
    "dropped": mark("fields dropped"),
    "unit": mark("unit"),
    "sender": mark("sender"),
    "sha256": mark("hash (SHA-256)"),
    "bytes": mark("bytes"),
    "status": mark("status"),
    "why": mark("why"),
    "from_ms": mark("from (ms since 1970)"),
    "to_ms": mark("to (ms since 1970)"),
    "wish": mark("request"),
    "jitter_ms": mark("jitter (ms)"),
    "camera_ahead_ms": mark("camera clock ahead (ms)"),
    "camera_bound_ms": mark("camera clock bound (ms)"),
    "maker": mark("maker"),
    "model": mark("model"),
    "serial": mark("serial number"),
    "firmware": mark("firmware"),
    "found": mark("found"),
    "procedure": mark("procedure"),
    "arguments": mark("arguments"),
    "done": mark("steps done"),
    "file": mark("file"),
    "files": mark("files"),
    "lines": mark("lines"),
    "command": mark("command"),
    "text": mark("text"),
    "repeated": mark("repeated"),
    "open_s": mark("may be opened for (s)"),
    "seconds": mark("for (s)"),
    "on": mark("on"),
    "person": mark("person"),
    "people": mark("people"),
    "button": mark("button"),
    "rule": mark("rule"),
    "detail": mark("detail"),
    "notes": mark("notes"),
    "admits": mark("lets in"),
    "duress": mark("duress"),
    "way": mark("way"),
    "reader": mark("reader"),
    "kept": mark("kept on the disk"),
    "forced": mark("forced"),
    "held": mark("held open"),
    "factors": mark("factors shown"),
    "name": mark("name"),
    "state": mark("state"),
    "second": mark("second person"),
    "act": mark("act"),
    "breach": mark("number of the breach"),
    "output": mark("output"),
    "point": mark("point"),
    "reading": mark("reading"),
    "low": mark("lower limit"),
    "high": mark("upper limit"),
    "correction": mark("correction"),
    "answers": mark("answers"),
    "phase": mark("state of the interlock"),
    "regulation": mark("regulation"),
}
"""Fields of an event's data -> their names."""

SOURCES = {"system": mark("system clock"), "gnss": mark("GNSS"), "hub": mark("hub")}
"""What `source` and `reason` of events name by one word."""

_PART = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True, slots=True)
class Said:
    """A text and its language: `lang` is "en" when it is shown as it was written, else empty."""

    text: str
    lang: str = ""


@dataclass(frozen=True, slots=True)
class Detail:
    """One field of an event as shown."""

    name: Said
    value: Said


def say_reason(language: Language, reason: str) -> Said:
    """Return a reason in the page's language; an unknown one comes back as it is, marked as English."""
    if language.code == "en":
        return Said(reason)
    found = match(reason)
    if found is None:
        return Said(reason, "en" if any(sign.isalpha() for sign in reason) and reason.isascii() else "")
    message, parts = found
    for part in INSIDE & parts.keys():
        parts[part] = say_reason(language, parts[part]).text
    return Said(language.say(message) % parts if parts else language.say(message))


def match(reason: str) -> tuple[str, dict[str, str]] | None:
    """Return the pattern of `REASONS` that a text fits, with its parts; None when there is none."""
    return matching(reason, REASONS)


def matching(text: str, messages: tuple[str, ...]) -> tuple[str, dict[str, str]] | None:
    """Return the first of these messages that a text fits, with its parts; None when there is none."""
    for message, pattern in _patterns(messages):
        fits = pattern.fullmatch(text)
        if fits:
            return message, fits.groupdict()
    return None


def say_detail(language: Language, key: str, value: object) -> Detail:
    """Return a field of an event's data in the page's language."""
    known = KEYS.get(key)
    name = Said(language.say(known)) if known else unknown_name(language, key)
    return Detail(name, _value(language, key, value))


def unknown_name(language: Language, name: str) -> Said:
    """Return a name of the wire that has no word of its own: readable, and marked as English."""
    return Said(name.replace("_", " "), "" if language.code == "en" else "en")


def _value(language: Language, key: str, value: object) -> Said:
    if value is None:
        return Said("—")
    if isinstance(value, bool):
        return Said(language.say("yes" if value else "no"))
    if key in ("source", "reason") and value in SOURCES:
        return Said(language.say(SOURCES[str(value)]))
    return say_reason(language, str(value)) if key in ("reason", "why") else Said(str(value))


@cache
def _patterns(messages: tuple[str, ...]) -> Sequence[tuple[str, re.Pattern[str]]]:
    return [(message, _pattern(message)) for message in messages]


def _pattern(message: str) -> re.Pattern[str]:
    literal = True
    parts: list[str] = []
    for piece in _PART.split(message):
        parts.append(re.escape(piece) if literal else f"(?P<{piece}>.+?)")
        literal = not literal
    return re.compile("".join(parts), re.DOTALL)
