"""The part of a gateway's settings that the hub may change, and how it is joined with the gateway's own file.

`[gateway]` and `[uplink]` stay in the file on the gateway: who it is, where its identity is and where it
finds its broker. No revision of the hub can cut a gateway off.
"""

import tomllib
from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar

from msgspec import Meta, field

from wire.settings.base import Fault, Settings, shorten
from wire.settings.check import check
from wire.settings.gateway import (
    ClockSection,
    Device,
    GatewaySettings,
    JournalSection,
    shared_faults,
)
from wire.settings.interlock import ControlSection, Interlocks, interlock_faults
from wire.settings.media import MediaSection
from wire.settings.panel import PanelSection, panel_faults
from wire.settings.portal import Equipments, Portals, door_faults, door_outputs, owner_faults
from wire.settings.regulation import Regulations, regulation_faults
from wire.settings.shutdown import ShutdownSection
from wire.settings.toml import to_toml
from wire.shadow import DOCUMENT_BYTES_MAX

OWN = ("gateway", "uplink")
"""Sections of the gateway's own file, and of nothing else."""


class ShadowDocument(Settings, frozen=True, kw_only=True):
    """What a document of the hub may say."""

    journal: JournalSection = JournalSection()
    clock: ClockSection = ClockSection()
    shutdown: ShutdownSection | None = None
    media: MediaSection | None = None
    control: ControlSection = ControlSection()
    interlock: Interlocks = field(default_factory=list)
    portal: Portals = field(default_factory=list)
    equipment: Equipments = field(default_factory=list)
    regulation: Regulations = field(default_factory=list)
    panel: PanelSection | None = None
    device: Annotated[list[Device], Meta(min_length=1, max_length=64)]

    names_once: ClassVar = GatewaySettings.names_once

    def faults(self) -> Iterable[Fault]:
        """What two devices, interlocks or doors want and only one can have."""
        yield from shared_faults(self.device)
        yield from interlock_faults(self.interlock, self.control)
        yield from door_faults(self.portal, self.equipment, self.device)
        yield from owner_faults(self.portal, self.equipment, interlocks=self.interlock, control=self.control)
        yield from regulation_faults(self.regulation, door_outputs(self.portal, self.equipment))
        yield from panel_faults(
            self.panel,
            interlocks=(one.name for one in self.interlock),
            portals=(one.name for one in self.portal),
            devices=self.device,
        )


def read_text(text: str) -> tuple[Mapping[str, object] | None, list[Fault]]:
    """Return the document that a text is, or None and why it is none; never raises."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return None, [Fault("document", text, "text that UTF-8 can carry")]
    if size > DOCUMENT_BYTES_MAX:
        return None, [Fault("document", f"{size} bytes", f"at most {DOCUMENT_BYTES_MAX} bytes")]
    try:
        return tomllib.loads(text), []
    except (ValueError, RecursionError) as error:  # no TOML, an endless number, endless brackets
        return None, [Fault("document", str(error), "TOML")]


def section_faults(document: Mapping[str, object]) -> list[Fault]:
    """Return the sections that a document of the hub must not carry."""
    expected = "nothing: this section stays in the gateway's own file"
    return [Fault(name, document[name], expected) for name in OWN if name in document]


def command_faults(own: Mapping[str, object], document: Mapping[str, object]) -> list[Fault]:
    """Return a program that a shutdown is to run and that the gateway's own file does not name.

    What is run on the machine is decided there; without a section in the file it is the default.
    """
    section, ours = document.get("shutdown"), own.get("shutdown")
    if not isinstance(section, Mapping):
        return []
    default = ShutdownSection(ups="ups").command
    allowed = ours.get("command", default) if isinstance(ours, Mapping) else default
    asked = section.get("command", default)
    if asked == allowed:
        return []
    return [Fault("shutdown.command", asked, f"{shorten(allowed)}, as in the gateway's own file")]


def check_text(text: str) -> tuple[ShadowDocument | None, list[Fault]]:
    """Return the checked document and no faults, or None and every fault that needs no gateway to be seen."""
    data, faults = read_text(text)
    if data is None:
        return None, faults
    faults = section_faults(data)
    found, more = check({key: value for key, value in data.items() if key not in OWN}, ShadowDocument)
    faults += more
    return (None, faults) if faults else (found, [])


def joined(own: Mapping[str, object], document: Mapping[str, object]) -> dict[str, object]:
    """Return the file with each section that the document carries in the place of the file's, as a whole."""
    return {**own, **{key: value for key, value in document.items() if key not in OWN}}


def shadow_of(own: Mapping[str, object]) -> str:
    """Return the part of a file that a hub may change, as TOML; `ValueError` when it cannot be written."""
    return to_toml({key: value for key, value in own.items() if key not in OWN})
