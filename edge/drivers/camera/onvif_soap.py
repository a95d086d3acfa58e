"""ONVIF on paper: questions to a camera as SOAP, its answers as values; bytes in, bytes out, no connection.

Answers are looked through by local names, since makers differ in prefixes. A document type is refused as soon
as it begins: without one there are no entities. Sources: ONVIF Core, Media (ver10) and Media2 (ver20)
specifications; OASIS WS-Security UsernameToken Profile 1.0; RFC 7616 (digest access authentication).
"""

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit
from xml.etree import ElementTree
from xml.parsers import expat
from xml.sax.saxutils import escape

DOCUMENT_BYTES_MAX = 256 * 1024
TEXT_MAX = 80
LISTED_MAX = 64
DEVICE, MEDIA, MEDIA2 = (
    "http://www.onvif.org/ver10/device/wsdl",
    "http://www.onvif.org/ver10/media/wsdl",
    "http://www.onvif.org/ver20/media/wsdl",
)
_WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
_PROVEN = f"{_WSSE}username-token-profile-1.0#PasswordDigest"
_ENCODING = f"{_WSSE}soap-message-security-1.0#Base64Binary"
_DIGEST = re.compile(r'([a-z]+)\s*=\s*(?:"([^"\\]{0,200})"|([^\s",]{1,200}))', re.IGNORECASE)
_PATH = re.compile(r"/[!#$&(-;=?-~]{0,400}")
_WHOLE = True
_FAULTS = ("NotAuthorized", "FailedAuthentication", "InvalidSecurity")


class SoapError(Exception):
    """An answer that is none, or says no; the text is one short sentence and holds no secret."""


class LoginError(SoapError):
    """The camera wants another user or password."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a camera says it is."""

    maker: str
    model: str
    firmware: str
    serial: str


@dataclass(frozen=True, slots=True)
class Profile:
    """One way in which a camera gives its picture."""

    token: str
    name: str


# --- questions ------------------------------------------------------------------------------------


def question(body: str, security: str = "") -> bytes:
    """Return an envelope around a body; `security` is what `token_of` gave."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">'
        f"<s:Header>{security}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def token_of(user: str, password: str, *, nonce: bytes, utc_ms: int) -> str:
    """Return the header that proves a password without showing it, at the camera's own time."""
    created = datetime.fromtimestamp(utc_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + "Z"
    proof = hashlib.sha1(nonce + created.encode() + password.encode(), usedforsecurity=False).digest()
    return (
        f'<w:Security xmlns:w="{_WSSE}wssecurity-secext-1.0.xsd"'
        f' xmlns:u="{_WSSE}wssecurity-utility-1.0.xsd"><w:UsernameToken>'
        f"<w:Username>{escape(user)}</w:Username>"
        f'<w:Password Type="{_PROVEN}">{base64.b64encode(proof).decode()}</w:Password>'
        f'<w:Nonce EncodingType="{_ENCODING}">{base64.b64encode(nonce).decode()}</w:Nonce>'
        f"<u:Created>{created}</u:Created></w:UsernameToken></w:Security>"
    )


def get_date() -> str:
    """Ask for the camera's time; needs no password."""
    return f'<GetSystemDateAndTime xmlns="{DEVICE}"/>'


def get_identity() -> str:
    """Ask what it is."""
    return f'<GetDeviceInformation xmlns="{DEVICE}"/>'


def get_services() -> str:
    """Ask where its services are."""
    inside = "<IncludeCapability>false</IncludeCapability>"
    return f'<GetServices xmlns="{DEVICE}">{inside}</GetServices>'


def get_profiles(media: str) -> str:
    """Ask for the profiles of a media service (its namespace)."""
    return f'<GetProfiles xmlns="{media}"/>'


def get_stream(media: str, token: str) -> str:
    """Ask for the RTSP address of a profile."""
    profile = f"<ProfileToken>{escape(token)}</ProfileToken>"
    if media == MEDIA2:
        return f'<GetStreamUri xmlns="{media}"><Protocol>RTSP</Protocol>{profile}</GetStreamUri>'
    setup = (
        '<StreamSetup><Stream xmlns="http://www.onvif.org/ver10/schema">RTP-Unicast</Stream>'
        '<Transport xmlns="http://www.onvif.org/ver10/schema"><Protocol>RTSP</Protocol></Transport></StreamSetup>'
    )
    return f'<GetStreamUri xmlns="{media}">{setup}{profile}</GetStreamUri>'


# --- answers --------------------------------------------------------------------------------------


def body_of(data: bytes) -> ElementTree.Element:
    """Return the body of an answer; `SoapError` for what is none, `LoginError` where it says so."""
    if len(data) > DOCUMENT_BYTES_MAX:
        raise SoapError(f"an answer of more than {DOCUMENT_BYTES_MAX} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SoapError("an answer that is no UTF-8") from None
    root = _tree(text)
    body = next((one for one in root if _local(one) == "Body"), None)
    if _local(root) != "Envelope" or body is None:
        raise SoapError("an answer that is no SOAP")
    if (fault := _find(body, "Fault")) is not None:
        said = " ".join("".join(fault.itertext()).split())
        if any(word in said for word in _FAULTS):
            raise LoginError("the camera refuses user and password")
        raise SoapError(f"the camera refuses: {_clean(text_in(fault, 'Text') or said)}")
    return body


def camera_ms(body: ElementTree.Element) -> int:
    """Return the camera's UTC in ms since 1970, at the beginning of its second."""
    utc = _find(body, "UTCDateTime")
    if utc is None:
        raise SoapError("the camera does not say its UTC")
    words = [text_in(utc, name) for name in ("Year", "Month", "Day", "Hour", "Minute", "Second")]
    if not all(re.fullmatch(r"[0-9]{1,4}", word) for word in words):
        raise SoapError("the camera's UTC is no time")
    year, month, day, hour, minute, second = map(int, words)
    try:
        moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        raise SoapError("the camera's UTC is no time") from None
    return int(moment.timestamp()) * 1000


def identity(body: ElementTree.Element) -> Identity:
    """Return maker, model, firmware and serial number; "" for what it does not tell."""
    names = ("Manufacturer", "Model", "FirmwareVersion", "SerialNumber")
    return Identity(*(_clean(text_in(body, name)) for name in names))


def services(body: ElementTree.Element) -> Mapping[str, str]:
    """Return the path of each service by its namespace.

    Cameras behind a router name addresses that nobody can reach; a strange one must not get the password.
    """
    found: dict[str, str] = {}
    for one in elements(body, "Service"):
        if (path := path_of(text_in(one, "XAddr"))) is not None:
            found.setdefault(text_in(one, "Namespace"), path)
    return found


def path_of(address: str) -> str | None:
    """Return path and query of an address, None when they cannot be asked for."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return path if _PATH.fullmatch(path) else None


def profiles(body: ElementTree.Element) -> Sequence[Profile]:
    """Return the profiles in the camera's order, the main one first by custom; at least one."""
    found = [
        Profile(token[:TEXT_MAX], _clean(text_in(one, "Name")))
        for one in elements(body, "Profiles")
        if (token := one.get("token", ""))
    ]
    if not found:
        raise SoapError("the camera has no profile")
    return found


def chosen(found: Sequence[Profile], wanted: str) -> Profile:
    """Return the profile of a name or token, the first one when none is wanted."""
    if not wanted:
        return found[0]
    for one in found:
        if wanted in (one.name, one.token):
            return one
    names = ", ".join(one.name or one.token for one in found)
    raise SoapError(f"no profile {wanted}: expected one of {names[:TEXT_MAX]}")


def stream_url(body: ElementTree.Element, host: str) -> str:
    """Return the address of a stream at this host, without a user and password that may stand in it."""
    try:
        parts = urlsplit(text_in(body, "Uri"))
        port = parts.port or 554
    except ValueError:
        raise SoapError("the camera's stream address is none") from None
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    if parts.scheme != "rtsp" or not _PATH.fullmatch(path):
        raise SoapError("the camera's stream address is none that can be used")
    return f"rtsp://{host}:{port}{path}"


def ahead(said_ms: int, *, utc_ms: int, bound_ms: int, round_trip_ms: int) -> tuple[int, int]:
    """Return how far the camera's clock is ahead and how sure that is, in ms.

    It says whole seconds, taken as the middle of the second; `utc_ms` is the gateway's time in the middle of
    the round trip, right within `bound_ms`.
    """
    return said_ms + 500 - utc_ms, 500 + -(-round_trip_ms // 2) + bound_ms


# --- digest access authentication, which newer cameras want instead -------------------------------


def authorization(
    challenge: str, *, path: str, user: str, password: str, cnonce: str, method: str = "POST"
) -> str:
    """Return the header that answers a `WWW-Authenticate`; `LoginError` for a kind we do not speak."""
    scheme, _, rest = challenge.partition(" ")
    said = {name.lower(): quoted or bare for name, quoted, bare in _DIGEST.findall(rest)}
    algorithm = said.get("algorithm", "MD5")
    hashes = {"MD5": _md5, "SHA-256": _sha256}
    qop = "auth" if "auth" in re.split(r"[\s,]+", said.get("qop", "")) else ""
    if scheme.lower() != "digest" or algorithm.upper() not in hashes or ("qop" in said and not qop):
        raise LoginError("the camera wants a login of another kind")
    made = hashes[algorithm.upper()]
    realm, nonce = said.get("realm", ""), said.get("nonce", "")
    if '"' in user or "\\" in user:
        raise LoginError('a user with " or \\ in its name cannot log in')
    secret, asked = made(f"{user}:{realm}:{password}"), made(f"{method}:{path}")
    between = f"{nonce}:00000001:{cnonce}:{qop}" if qop else nonce
    fields = {"username": user, "realm": realm, "nonce": nonce, "uri": path}
    fields["response"] = made(f"{secret}:{between}:{asked}")
    fields |= {"opaque": said["opaque"]} if "opaque" in said else {}
    fields |= {"cnonce": cnonce} if qop else {}
    plain = f", algorithm={algorithm}" + (f", qop={qop}, nc=00000001" if qop else "")
    return "Digest " + ", ".join(f'{name}="{value}"' for name, value in fields.items()) + plain


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


# --- looking into a document ----------------------------------------------------------------------


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def elements(element: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    """Yield what has this local name, not too much of it."""
    count = 0
    for one in element.iter():
        if _local(one) == name and count < LISTED_MAX:
            count += 1
            yield one


def _tree(text: str) -> ElementTree.Element:
    """Return the root of a document; `SoapError`. A document type ends it, before any entity is known."""
    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(text, _WHOLE)
    except expat.ExpatError:
        raise SoapError("an answer that is no XML") from None
    return builder.close()


def _refuse(*_: object) -> None:
    raise SoapError("an answer with a document type")


def _find(element: ElementTree.Element, name: str) -> ElementTree.Element | None:
    return next(elements(element, name), None)


def text_in(element: ElementTree.Element, name: str) -> str:
    """Return the text of the first element of this local name, "" when there is none."""
    found = _find(element, name)
    return "" if found is None else (found.text or "").strip()


def _clean(text: str) -> str:
    """Return what may be shown: printable, one line, not long."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:TEXT_MAX]).strip()
