"""What every page is given: connections, the live feed, the renderer, the clock. It does nothing itself."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from cloud.store.snapshot import Pool
from cloud.web.feed import LiveFeed
from cloud.web.render import Renderer
from cloud.web.settings import WebSettings
from cloud.web.sparks import Sparks


@dataclass(frozen=True)
class Web:
    """The pages of one process."""

    pool: Pool
    feed: LiveFeed
    render: Renderer
    settings: WebSettings
    now: Callable[[], datetime]
    sparks: Sparks = field(default_factory=Sparks)
