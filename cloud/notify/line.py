"""The connection of one message: made where it may lead, cut by who waits for it when it takes too long."""

import contextlib
import socket
import threading
from collections.abc import Sequence
from typing import Any

from cloud.notify.targets import is_refused

_Found = Sequence[tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]]
TIMEOUT_S = 10.0
"""For each step; who sends has a deadline for all of them."""


class CutError(OSError):
    """The connection was cut because its time is over."""


class RefusedAddressError(OSError):
    """Nothing may be sent to this address."""


class Line:
    """At most one connection at a time; `cut` may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._handle: socket.socket | None = None
        self._is_cut = False

    def connect(self, host: str, port: int, timeout_s: float = TIMEOUT_S) -> socket.socket:
        """Connect to a host that the installation chose; `OSError`."""
        return self._connect(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), timeout_s)

    def connect_hook(self, host: str, port: int, *, local: bool) -> socket.socket:
        """Connect to a host that somebody wrote, by the addresses that it has now; `OSError`."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        allowed = [one for one in found if not is_refused(str(one[4][0]), local=local)]
        if not allowed:
            raise RefusedAddressError("a hook may not lead to this machine: HENG_NOTIFY_LOCAL")
        return self._connect(allowed, TIMEOUT_S)

    def cut(self) -> None:
        """End the connection: who waits for it gets an error, and no other one is made."""
        with self._lock:
            self._is_cut = True
            if self._handle is not None:
                with contextlib.suppress(OSError):
                    self._handle.shutdown(socket.SHUT_RDWR)

    @property
    def is_cut(self) -> bool:
        """Whether the time of the message is over."""
        return self._is_cut

    def close(self) -> None:
        """Forget the connection."""
        with self._lock:
            if self._handle is not None:
                self._handle.close()
                self._handle = None

    def _connect(self, found: _Found, timeout_s: float) -> socket.socket:
        last: OSError = OSError("the host has no address")
        for family, kind, protocol, _, address in found:
            made = socket.socket(family, kind, protocol)
            try:
                made.settimeout(timeout_s)
                self._hold(made)
                made.connect(address)
            except OSError as error:
                made.close()
                if self._is_cut:
                    raise
                last = error
            else:
                return made
        raise last

    def _hold(self, made: socket.socket) -> None:
        self.close()
        with self._lock:
            if self._is_cut:
                raise CutError("its time is over")
            # A second handle of the same connection: TLS takes the first one over.
            self._handle = made.dup()
