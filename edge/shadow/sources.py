"""Where a gateway's settings come from: its own file, and beside it the document that the hub had kept.

The document wins for each section that it carries, as a whole; `[gateway]` and `[uplink]` are the file's
alone. What the hub wanted can never keep a gateway from starting: with faults in it, the file counts alone.
It writes nothing but that a start tries something.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from msgspec import structs

from edge.assembly import AssemblyError, all_layouts, build_drivers
from edge.control.checks import control_faults
from edge.document import document_faults
from edge.driver import Driver, Given
from edge.shadow.book import Book, BookError, State
from edge.shutdown import Shutdown
from wire.settings.base import Fault
from wire.settings.gateway import GatewaySettings, judged, read_document
from wire.settings.shadow import command_faults, joined, read_text, section_faults, shadow_of

More = Callable[[object], Iterable[Fault]]


@dataclass(frozen=True, slots=True)
class InForce:
    """Settings that count, or why there are none."""

    settings: GatewaySettings | None
    faults: list[Fault]
    set_aside: list[Fault]
    """What is wrong with the hub's document, if the file counts alone for that."""


class Sources:
    """One gateway's."""

    def __init__(self, file: Path, *, now_ns: Callable[[], int], more: More = lambda _: ()) -> None:
        """`more` finds further faults in a whole document; `now_ns` is the monotonic clock."""
        self._file = file
        self._folder = file.resolve().parent
        self._now_ns = now_ns
        self._more = more

    def in_force(self, *, trial: bool = False) -> InForce:
        """Return the settings to run with; with `trial` those that are being tried, if any are."""
        own, faults = read_document(self._file)
        if own is None:
            return InForce(None, faults, [])
        text = self._kept(own, trial=trial)
        if text is None:
            return InForce(*self._judge(own), [])
        settings, faults = self._with(own, text)
        if settings is not None:
            return InForce(settings, [], [])
        alone, _ = self._judge(own)
        return InForce(alone, [], faults) if alone is not None else InForce(None, faults, [])

    def begin(self) -> GatewaySettings | None:
        """Return settings of the hub that this start is to try, None when there are none.

        It is written down first: whatever becomes of this start, the next one begins with what ran well.
        """
        own, _ = read_document(self._file)
        book = None if own is None else self._book(own)
        state, _ = (State(), "") if book is None else book.read()
        trial = state.trial
        if own is None or book is None or trial is None or trial.step != "restart":
            return None
        try:
            book.write(structs.replace(state, trial=structs.replace(trial, step="watched")))
        except BookError:
            return None
        return self._with(own, trial.document)[0]

    def judged(self, text: str) -> tuple[GatewaySettings | None, list[Fault]]:
        """Return the settings that a document of the hub makes with the file, or None and every fault."""
        own, faults = read_document(self._file)
        if own is None:
            return None, faults
        return self._with(own, text)

    def follows_hub(self) -> bool:
        """Whether the file lets the hub's settings count, as it stands now."""
        own, _ = read_document(self._file)
        return own is not None and _follows(own)

    def own_text(self) -> str | None:
        """Return the file's part that a hub may change, None when it cannot be told."""
        own, _ = read_document(self._file)
        try:
            return None if own is None else shadow_of(own)
        except (ValueError, RecursionError):
            return None

    def _book(self, own: Mapping[str, object]) -> Book | None:
        """Return where the hub's settings are kept; None without a folder, or where the file counts alone."""
        section = own.get("gateway")
        name = section.get("data", "data") if isinstance(section, Mapping) else None
        if not isinstance(name, str) or not name or "\0" in name or not _follows(own):
            return None
        return Book(self._folder / name)

    def _kept(self, own: Mapping[str, object], *, trial: bool) -> str | None:
        book = self._book(own)
        if book is None:
            return None
        state, _ = book.read()
        if trial and state.trial is not None and state.trial.step == "watched":
            return state.trial.document
        return None if state.running is None else state.running.document

    def _with(self, own: Mapping[str, object], text: str) -> tuple[GatewaySettings | None, list[Fault]]:
        document, faults = read_text(text)
        if document is None:
            return None, faults
        settings, more = self._judge(joined(own, document))
        faults = [*section_faults(document), *command_faults(own, document), *more]
        return (None, faults) if faults else (settings, [])

    def _judge(self, data: Mapping[str, object]) -> tuple[GatewaySettings | None, list[Fault]]:
        settings, faults = judged(data, more=lambda found: [*document_faults(found), *self._more(found)])
        if settings is not None:
            faults = assembly_faults(settings, self._folder / settings.gateway.data, now_ns=self._now_ns)
        return (None, faults) if faults else (settings, [])


def _follows(own: Mapping[str, object]) -> bool:
    section = own.get("gateway")
    return not isinstance(section, Mapping) or section.get("settings", "hub") != "file"


def assembly_faults(settings: GatewaySettings, data: Path, *, now_ns: Callable[[], int]) -> list[Fault]:
    """Return why no gateway can be made of settings that are each right; nothing is started."""
    try:
        drivers = build_drivers(settings, Given(now_ns, data))
    except AssemblyError as error:
        return list(error.faults)
    return named_faults(settings, drivers)


def named_faults(settings: GatewaySettings, drivers: Iterable[Driver]) -> list[Fault]:
    """Return what shutdown and control name and these drivers do not have, or have otherwise."""
    made = list(drivers)
    return [*shutdown_faults(settings, made), *control_faults(settings, made)]


def shutdown_faults(settings: GatewaySettings, drivers: Iterable[Driver]) -> list[Fault]:
    """Return what the orderly shutdown names and none of these drivers feeds."""
    made = list(drivers)
    return Shutdown(settings.shutdown, lambda: all_layouts(made)).faults() if settings.shutdown else []
