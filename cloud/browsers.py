"""How the pages' listener meets browsers: TLS 1.3 where it has a certificate, and bounded patience.

Sizes, times and names of whole requests are the entrance's (`cloud.api.entrance`); here is what comes before
a request is one: connections that say nothing, or say it letter by letter.
"""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

HEAD_S = 10.0
"""So long who connects, or was answered, may take for the whole head of the next request."""
CONNECTIONS_MAX = 512
"""More are answered with 503."""


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that hangs up on who takes too long before there is a request, or after the answer to one."""

    head_s = HEAD_S

    def __init__(
        self,
        *,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """The arguments are uvicorn's, which names them."""
        super().__init__(config, server_state, app_state, _loop)
        self._impatient: asyncio.TimerHandle | None = None
        self._look()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._calm()
        super().connection_lost(exc)

    def _look(self) -> None:
        cycle = getattr(self, "cycle", None)  # uvicorn has none before the first request
        if cycle is not None and not cycle.response_complete:
            self._calm()
        elif self._impatient is None:
            self._impatient = self.loop.call_later(self.head_s, self._hang_up)

    def _calm(self) -> None:
        if self._impatient is not None:
            self._impatient.cancel()
            self._impatient = None

    def _hang_up(self) -> None:
        self._impatient = None
        transport = getattr(self, "transport", None)  # uvicorn has none before TLS is agreed on
        if transport is not None:
            transport.abort()


def listener_config(
    app: FastAPI,
    *,
    certificate: Path | None,
    key: Path | None,
    protocol: type[PatientProtocol] = PatientProtocol,
) -> uvicorn.Config:
    """Return the settings of a server; certificate and key are PEM files, both or neither."""
    return uvicorn.Config(
        app,
        http=protocol,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
        server_header=False,
        limit_concurrency=CONNECTIONS_MAX,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        ssl_context_factory=None if certificate is None else _tls_1_3,
    )


def _tls_1_3(_: uvicorn.Config, default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    context = default()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
