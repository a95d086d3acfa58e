"""Makes the panel out of what control has."""

from edge.access.room import Access
from edge.control.room import Shared
from edge.panel.asking import Asking, Sources
from edge.panel.room import Panel
from wire.settings.panel import PanelSection


def make_panel(shared: Shared, access: Access, settings: PanelSection) -> Panel:
    """Return the panel of a gateway that has one."""
    given = shared.given
    sources = Sources(
        snapshot=lambda: access.rights.snapshot,
        key=lambda: (access.rights.key, access.rights.key_id),
        act=shared.interlocks.act,
        tell=given.tell,
        remember=given.remember,
        recall=given.recall,
        settle=given.settle,
        now_tick=given.now_tick,
        utc_ms=given.utc_ms,
        steady_ms=access.judge.steady.now_ms,
    )
    return Panel(
        settings,
        gateway=given.settings.gateway.id,
        asking=Asking(sources, card_s=settings.card_s, honour_old=settings.when_old == "honour"),
        status=shared.status,
        roll_call=access.roll_call,
    )
