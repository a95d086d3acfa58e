"""Writes the configuration of a Mosquitto 2.0 broker: two TLS 1.3 listeners, no anonymous one anywhere.

Gateways and hub workers have a listener each. Both take the user name from the certificate; on the
gateways' one it is the client id too, so that no gateway can disconnect another. Mosquitto 2.0 checks
deliveries and publications against its ACL, never a SUBSCRIBE: the share name of the workers is a secret.
Nothing is persisted, because nothing that Heng promises rests on the broker. It starts no process.

Source: mosquitto.conf(5) of 2.0.11.
"""

from dataclasses import dataclass
from pathlib import Path

from provisioning import files, identity
from provisioning.ca import CertificateAuthority
from wire.frame import LARGE_FRAME_BYTES_MAX
from wire.topics import PREFIX

CONFIGURATION = "mosquitto.conf"
REVOCATIONS = "gateway-crl.pem"

_PACKET_BYTES_MAX = LARGE_FRAME_BYTES_MAX + 1024
"""The largest frame, of access rights, with its topic, properties and packet header."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Where the broker listens. An empty host means all interfaces."""

    gateway_port: int = 8883
    hub_port: int = 8884
    gateway_host: str = ""
    hub_host: str = "127.0.0.1"


def write_configuration(
    authority: CertificateAuthority, out: Path, listeners: Listeners, *, seen_in: Path | None = None
) -> list[Path]:
    """Write everything the broker needs into `out` and return the files, replacing earlier ones.

    The folder can be handed over as a whole to the user that Mosquitto runs as. `seen_in` is where the
    broker sees it, when that is another path (in a container).
    """
    files.make_folder(out)
    broker = authority.broker_folder
    contents = {
        "server-key.pem": files.read(broker / identity.TLS_KEY),
        "server-cert.pem": files.read(broker / identity.TLS_CERTIFICATE),
        "gateway-ca.pem": authority.root_pem,
        "hub-ca.pem": authority.hub_ca_pem,
        REVOCATIONS: authority.revocations_pem(),
        "gateway.acl": gateway_acl().encode(),
        "hub.acl": hub_acl(authority.hub_names()).encode(),
        CONFIGURATION: configuration(seen_in or out.absolute(), listeners).encode(),
    }
    for name, data in contents.items():
        _replace(out / name, data)
    return [out / name for name in contents]


def gateway_acl() -> str:
    """Return the two patterns that hold for every gateway; `%u` is its CN."""
    return f"pattern write {PREFIX}/%u/up/#\npattern read {PREFIX}/%u/down/#\n"


def hub_acl(names: list[str]) -> str:
    """Return what each hub worker may do, by its CN; a worker that is not listed may do nothing."""
    rights = f"topic read {PREFIX}/+/up/#\ntopic write {PREFIX}/+/down/#\ntopic read $SYS/#\n"
    return "\n".join(f"user {identity.HUB_PREFIX}{name}\n{rights}" for name in names)


def configuration(folder: Path, listeners: Listeners) -> str:
    """Return the text of mosquitto.conf for files that lie in `folder`."""
    gateway = _listener(
        folder, listeners.gateway_port, host=listeners.gateway_host, ca="gateway-ca.pem", acl="gateway.acl"
    )
    hub = _listener(folder, listeners.hub_port, host=listeners.hub_host, ca="hub-ca.pem", acl="hub.acl")
    return (
        "# Written by `heng broker config`; changes are lost when it is written again.\n"
        f"{_GLOBAL}\n# Gateways\n{gateway}use_username_as_clientid true\n"
        f"crlfile {folder / REVOCATIONS}\n\n# Hub workers\n{hub}"
    )


_GLOBAL = f"""\
per_listener_settings true
persistence false
log_dest stderr
log_type error
log_type warning
log_type notice
log_timestamp_format %Y-%m-%dT%H:%M:%S%z
connection_messages true
set_tcp_nodelay true
# One hub worker holds the batches of many gateways until they are committed.
max_inflight_messages 1000
# Per client, whichever is reached first; what is dropped is sent again by its gateway.
max_queued_messages 100000
max_queued_bytes 268435456
max_packet_size {_PACKET_BYTES_MAX}
persistent_client_expiration 1d
max_keepalive 300
sys_interval 10
"""


def _listener(folder: Path, port: int, *, host: str, ca: str, acl: str) -> str:
    return f"""\
listener {port}{f" {host}" if host else ""}
allow_anonymous false
allow_zero_length_clientid false
acl_file {folder / acl}
cafile {folder / ca}
certfile {folder / "server-cert.pem"}
keyfile {folder / "server-key.pem"}
tls_version tlsv1.3
require_certificate true
use_identity_as_username true
"""


def _replace(path: Path, data: bytes) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    files.write_new(fresh, data)
    fresh.replace(path)
