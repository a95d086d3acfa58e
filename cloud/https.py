"""HTTPS for listeners that must see client certificates, which ASGI servers do not show: TLS 1.3 alone.

It does not know what is asked: HTTP is in `cloud.https_exchange`, answers are the handler's. Connections are
counted before their handshake: as a stranger's, and once a certificate has named somebody, as that one's.
"""

import asyncio
import contextlib
import errno
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h11
from cryptography import x509

from cloud.https_exchange import Exchange, Handle, Limits, Peer
from cloud.supervisor import contain
from provisioning import identity
from provisioning.certificates import PARSE_FAULTS
from provisioning.errors import IdentityError

_LATER_S = 0.5
_GOODBYE_S = 1.0
_BUFFER_BYTES = 65_536
_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED})
"""Why a connection may not be accepted although the listener is sound."""

Refused = Callable[[str, str], None]
"""(address, reason) of what never came to be handled."""
Name = Callable[[x509.Certificate], str | None]
"""Whom a certificate names; None: nobody who may come in."""


@dataclass(frozen=True, slots=True)
class Places:
    """How many connections there may be at once, and for how long."""

    connections: int
    strangers: int
    """Of those, whom no certificate has named, or not yet."""
    per_address: int
    """Strangers of one address."""
    per_name: int = 0
    """Of one whom a certificate named."""
    handshake_s: float = 10.0
    total_s: float | None = None
    """How long a connection may last; None: as long as its limits let it."""


class Server:
    """Accepts connections on a listening socket and has their requests handled."""

    def __init__(
        self,
        listener: socket.socket,
        *,
        context: Callable[[], ssl.SSLContext],
        handle: Handle,
        places: Places,
        limits: Limits,
        name: Name | None = None,
        refused: Refused = lambda _address, _reason: None,
    ) -> None:
        """`context` is asked for each connection, so that a renewed certificate is shown at once.

        With `name` nobody comes in whom it does not name; without it everybody stays a stranger.
        """
        self._listener = listener
        self._context = context
        self._handle = handle
        self._places = places
        self._limits = limits
        self._name = name
        self._refused = refused
        self._strangers: Counter[str] = Counter()
        self._named: Counter[str] = Counter()

    async def run(self) -> None:
        """Serve until cancelled; raises `OSError` when the listening socket is broken."""
        loop = asyncio.get_running_loop()
        self._listener.settimeout(0)
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    connection, peer = await loop.sock_accept(self._listener)
                except OSError as error:
                    if error.errno not in _NO_ROOM:
                        raise
                    await asyncio.sleep(_LATER_S)
                    continue
                address = str(peer[0])
                if not self._has_place(address):
                    connection.close()
                    self._refused(address, "too many connections")
                    await asyncio.sleep(0)  # a flood of them holds up nobody who is inside
                    continue
                place = _Place(self._strangers, address)
                serving = partial(self._serve, connection, address, place)
                group.create_task(contain("https: a connection", serving))

    def _has_place(self, address: str) -> bool:
        most, strangers = self._places, self._strangers.total()
        return (
            strangers + self._named.total() < most.connections
            and strangers < most.strangers
            and self._strangers[address] < most.per_address
        )

    async def _serve(self, connection: socket.socket, address: str, place: "_Place") -> None:
        """Serve one connection; whatever its far end does is no error of ours."""
        try:
            async with asyncio.timeout(self._places.total_s):
                await self._talk(connection, address, place)
        except ssl.SSLError as error:
            self._refused(address, error.reason or str(error))
        except TimeoutError:
            self._refused(address, "too slow")
        except OSError as error:
            self._refused(address, error.strerror or "connection lost")
        except h11.ProtocolError:
            self._refused(address, "no HTTP")
        finally:
            place.leave()

    async def _talk(self, connection: socket.socket, address: str, place: "_Place") -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_BUFFER_BYTES, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol, connection, ssl=self._context(), ssl_handshake_timeout=self._places.handshake_s
        )
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            peer = self._peer(address, writer)
            if peer is None:
                self._refused(address, "no place for this certificate")
                return
            if peer.name:
                place.move(self._named, peer.name)
            exchange = Exchange(reader, writer, peer=peer, limits=self._limits)
            await exchange.run(self._handle, lambda reason: self._refused(address, reason))
            writer.close()
            with contextlib.suppress(OSError):  # a time-out too: what there was to say was said
                async with asyncio.timeout(_GOODBYE_S):
                    await writer.wait_closed()
        finally:
            transport.abort()

    def _peer(self, address: str, writer: asyncio.StreamWriter) -> Peer | None:
        """Return who came, None when nobody by that certificate has a place."""
        try:
            certificate = _certificate(writer)
        except PARSE_FAULTS:
            return None
        if self._name is None:
            return Peer(address, certificate=certificate)
        name = None if certificate is None else self._name(certificate)
        if name is None or self._named[name] >= self._places.per_name:
            return None
        return Peer(address, name, certificate)


class _Place:
    """Where one connection is counted."""

    def __init__(self, counted: Counter[str], who: str) -> None:
        self._counted, self._who = counted, who
        counted[who] += 1

    def move(self, counted: Counter[str], who: str) -> None:
        """Count it somewhere else from now on."""
        self.leave()
        self._counted, self._who = counted, who
        counted[who] += 1

    def leave(self) -> None:
        """Count it no more; nobody is remembered who has no connection."""
        self._counted[self._who] -= 1
        if not self._counted[self._who]:
            del self._counted[self._who]


def _certificate(writer: asyncio.StreamWriter) -> x509.Certificate | None:
    """Return what the client showed; raises `PARSE_FAULTS`."""
    tls = writer.get_extra_info("ssl_object")
    der = tls.getpeercert(binary_form=True) if tls is not None else None
    return x509.load_der_x509_certificate(der) if der else None


def server_context(
    folder: Path, authorities: bytes, *, demand: bool, judge_dates: bool = True
) -> ssl.SSLContext:
    """Return a listener's TLS 1.3 context; `IdentityError` when its files cannot be used.

    `folder` holds the server's `tls-key.pem` and `tls-cert.pem`. A client certificate may be shown, or has to
    be (`demand`); its chain must lead to `authorities` (PEM). Sessions are never resumed: a resumed one would
    not be asked for its certificate again.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    try:
        context.load_cert_chain(folder / identity.TLS_CERTIFICATE, folder / identity.TLS_KEY)
        context.load_verify_locations(cadata=authorities.decode("ascii"))
    except (OSError, ValueError) as error:
        raise IdentityError(f"{folder}: certificate, key or CA cannot be used: {error}") from None
    context.verify_mode = ssl.CERT_REQUIRED if demand else ssl.CERT_OPTIONAL
    if not judge_dates:
        context.verify_flags = ssl.VerifyFlags(context.verify_flags | identity.NO_CHECK_TIME)
    return context


class FreshContext:
    """Gives a listener's context, made anew when its certificate's file is another one."""

    def __init__(self, make: Callable[[], ssl.SSLContext], certificate: Path) -> None:
        """Raises what `make` raises. Later the old context stays when the new files cannot be used."""
        self._make = make
        self._certificate = certificate
        self._stamp = self._look()
        self._context = make()

    def __call__(self) -> ssl.SSLContext:
        """Return the context of now."""
        stamp = self._look()
        if stamp is not None and stamp != self._stamp:
            with contextlib.suppress(IdentityError):
                self._context = self._make()
                self._stamp = stamp
        return self._context

    def _look(self) -> tuple[int, int] | None:
        try:
            found = self._certificate.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns
