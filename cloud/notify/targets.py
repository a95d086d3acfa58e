"""What may be written as a mail address or as the host of a hook, and where a hook may lead to."""

import asyncio
import re
import socket
from email.errors import MessageError
from email.headerregistry import Address
from ipaddress import IPv4Address, IPv6Address, ip_address

IpAddress = IPv4Address | IPv6Address

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LOCAL_PART_MAX = 64
_HOST_MAX = 253
_LOOK_UP_S = 2.0
_METADATA = frozenset({ip_address("100.100.100.200"), ip_address("fd00:ec2::254")})
"""Where machines of a cloud ask for their own keys, beside the link-local 169.254.169.254."""


def is_host(text: str) -> bool:
    """Whether a text is an IP address, or a name that can be looked up."""
    if len(text) > _HOST_MAX:
        return False
    try:
        ip_address(text)
    except ValueError:
        return all(_LABEL.fullmatch(label) for label in text.removesuffix(".").split("."))
    return "%" not in text


def is_mail(text: str) -> bool:
    """Whether a text is one plain mail address that a message can bear."""
    local, at, domain = text.rpartition("@")
    if not at or len(local) > _LOCAL_PART_MAX or not _LOCAL_PART.fullmatch(local) or not is_host(domain):
        return False
    try:
        return Address(addr_spec=text).domain == domain
    except (ValueError, LookupError, AttributeError, MessageError):
        return False


def is_refused(text: str, *, local: bool) -> bool:
    """Whether a hook may not lead to an IP address. Those of the laboratory's network may be.

    `local` allows this machine and what is link-local; what is no address of one machine never is.
    """
    found = ip_address(text.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if found.is_unspecified or found.is_multicast:
        return True
    return not local and (found.is_loopback or found.is_link_local or found in _METADATA or _is_own(found))


def _is_own(address: IpAddress) -> bool:
    """Whether an address is one of this machine: what is sent there would come from there. Sends nothing."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((str(address), 9))
            return ip_address(asking.getsockname()[0]) == address
    except OSError:  # no way leads there
        return False


async def leads_to_refused(host: str, *, local: bool) -> bool:
    """Whether a host leads nowhere but where no hook may, by the addresses that it has now.

    A name that cannot be looked up now is taken: it is looked up again for every message.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_LOOK_UP_S):
            found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError):
        return False
    return all(is_refused(str(one[4][0]), local=local) for one in found)
