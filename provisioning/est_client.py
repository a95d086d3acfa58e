"""Asks a hub's EST listener, whose CA is known by the hash of its key alone; believes nothing before that.

First the CA certificates are fetched from whoever answers, and only what has the pinned key is kept. All that
follows goes through TLS that leads to it, host name checked. Dates are not judged: a gateway that was never
synchronised does not know them, and the pin says more than a date. It blocks; a loop calls it in a thread.
"""

import base64
import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import msgspec
from cryptography import x509

from provisioning import certificates, est
from provisioning.claim import hub_address
from provisioning.errors import EnrolmentError, IdentityError, RequestError
from provisioning.est import HubFacts
from provisioning.identity import NO_CHECK_TIME

TIMEOUT_S = 15.0
"""For connecting, and for each piece of an answer."""
TOTAL_S = 60.0
"""Until a whole answer is here: who drips it byte by byte holds nobody."""
_AGAIN = frozenset({202, 408, 429, 500, 502, 503, 504})
_WAIT_MAX_S = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def wait_s(self) -> float:
        """How long the hub asks to be left alone."""
        text = self.headers.get("retry-after", "")
        return min(float(text), _WAIT_MAX_S) if text.isascii() and text.isdigit() and len(text) < 9 else 0.0


@dataclass(frozen=True, slots=True)
class Trust:
    """The CA certificates of a hub: the pinned root, and those that it has signed."""

    root: x509.Certificate
    others: tuple[x509.Certificate, ...] = ()

    @classmethod
    def pinned(cls, found: list[x509.Certificate], ca_sha256: bytes) -> Self:
        """Return what of these certificates can be believed; `EnrolmentError` when that is nothing."""
        for one in found:
            if certificates.spki_sha256(one) == ca_sha256 and certificates.is_issued(one, one):
                return cls(
                    one,
                    tuple(other for other in found if other != one and certificates.is_issued(other, one)),
                )
        raise EnrolmentError(
            "the hub's CA has another key than the claim says: this is not the hub, or not its claim",
            again=False,
        )

    def context(self) -> ssl.SSLContext:
        """Return a TLS 1.3 client context that trusts this root alone; dates are not judged."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(cadata=certificates.to_pem([self.root]).decode())
        context.verify_flags = ssl.VerifyFlags(context.verify_flags | NO_CHECK_TIME)
        return context

    def chain(self, leaf: x509.Certificate) -> list[x509.Certificate]:
        """Return the leaf and what leads from it to the root; `EnrolmentError` when nothing does."""
        if certificates.is_issued(leaf, self.root):
            return [leaf]
        for other in self.others:
            if certificates.is_issued(leaf, other):
                return [leaf, other]
        raise EnrolmentError("the hub answered with a certificate that its CA did not sign", again=True)


def fetch_trust(
    url: str, ca_sha256: bytes, *, timeout_s: float = TIMEOUT_S, total_s: float = TOTAL_S
) -> Trust:
    """Return the CA certificates of a hub by the hash of the root's key. Nothing secret is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    answer = Connection(url, context, timeout_s=timeout_s, total_s=total_s).ask("GET", est.CA_CERTIFICATES)
    try:
        return Trust.pinned(est.read_certificates(answer.body), ca_sha256)
    except (RequestError, IdentityError) as error:
        raise EnrolmentError(str(error), again=True) from None


class Connection:
    """Asks one hub: over one connection while it is a context manager, else over one for each question."""

    def __init__(
        self,
        url: str,
        context: ssl.SSLContext,
        *,
        timeout_s: float = TIMEOUT_S,
        total_s: float = TOTAL_S,
    ) -> None:
        self._host, self._port = hub_address(url)
        self._context = context
        self._timeout_s = timeout_s
        self._total_s = total_s
        self._kept = False
        self._line = http.client.HTTPSConnection(
            self._host, self._port, timeout=self._timeout_s, context=self._context
        )

    def __enter__(self) -> Self:
        self._kept = True
        return self

    def __exit__(self, *_: object) -> None:
        self._kept = False
        self._line.close()

    def hub(self) -> HubFacts:
        """Return what the hub says of itself."""
        answer = self.ask("GET", est.HUB)
        try:
            return msgspec.json.decode(answer.body, type=HubFacts)
        except msgspec.DecodeError as error:
            raise EnrolmentError(f"facts of the hub: {error}", again=True) from None

    def enrol(self, request: bytes, *, gateway: str, code: str) -> x509.Certificate:
        """Return the certificate that a claim code buys."""
        credentials = base64.b64encode(f"{gateway}:{code}".encode()).decode()
        return self._issued(est.ENROL, request, {"Authorization": f"Basic {credentials}"})

    def renew(self, request: bytes) -> x509.Certificate:
        """Return the next certificate; the context speaks with the one before."""
        return self._issued(est.RENEW, request, {})

    def _issued(self, path: str, request: bytes, headers: Mapping[str, str]) -> x509.Certificate:
        sent = {"Content-Type": est.REQUEST_TYPE, **headers}
        answer = self.ask("POST", path, body=est.to_base64(request), headers=sent)
        try:
            return est.read_certificates(answer.body)[0]
        except RequestError as error:
            raise EnrolmentError(str(error), again=True) from None

    def ask(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return an answer of status 200; `EnrolmentError` for any other and for no answer."""
        line, whole = self._line, False
        line.response_class = _answer_within(self._total_s)
        try:
            keep = {"Connection": "keep-alive"} if self._kept else {}
            line.request(method, path, body=body, headers={**keep, **(headers or {})})
            got = line.getresponse()
            read = got.read(est.ANSWER_BYTES_MAX + 1)
            whole = got.isclosed()
        except ssl.SSLCertVerificationError as error:
            text = f"{self._host}:{self._port}: is not the claimed hub: {error.verify_message}"
            raise EnrolmentError(text, again=True) from None
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise EnrolmentError(f"{self._host}:{self._port}: {reason}", again=True) from None
        finally:
            if not (self._kept and whole):
                line.close()
        if len(read) > est.ANSWER_BYTES_MAX:
            raise EnrolmentError(f"answer of the hub: more than {est.ANSWER_BYTES_MAX} bytes", again=True)
        answer = Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, read)
        if answer.status != http.client.OK:
            raise _refusal(answer)
        return answer


def _answer_within(total_s: float) -> type[http.client.HTTPResponse]:
    """Return a response that is read until so long from now; a socket's own timeout is for each piece."""
    ends = time.monotonic() + total_s

    class Within(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, debuglevel: int = 0, method: str | None = None) -> None:
            super().__init__(sock, debuglevel, method)
            self.fp = io.BufferedReader(_Reader(self.fp.detach(), sock, ends))

    return Within


class _Reader(io.RawIOBase):
    """What comes from a socket until a moment of `time.monotonic()`; `TimeoutError` then."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, ends: float) -> None:
        self._raw = raw
        self._sock = sock
        self._ends = ends
        self._piece_s = sock.gettimeout() or TIMEOUT_S

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("no whole answer in time")
        self._sock.settimeout(min(left, self._piece_s))
        try:
            return self._raw.readinto(buffer)
        except TimeoutError:
            if left > self._piece_s:
                raise
            raise TimeoutError("no whole answer in time") from None

    def close(self) -> None:
        self._raw.close()
        super().close()


def _refusal(answer: Answer) -> EnrolmentError:
    said = answer.body[:300].decode("utf-8", "replace").strip() or http.client.responses.get(
        answer.status, "no reason"
    )
    printable = "".join(one if one.isprintable() else " " for one in said)
    text = f"the hub answered {answer.status}: {printable}"
    return EnrolmentError(text, again=answer.status in _AGAIN, wait_s=answer.wait_s)
