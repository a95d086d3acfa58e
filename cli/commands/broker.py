"""`heng broker`: write the configuration of Mosquitto 2.0 for this hub's gateways and workers."""

import argparse
import sys
from pathlib import Path

from cli.embedded.service_user import service_user
from provisioning.broker import CONFIGURATION, Listeners, write_configuration
from provisioning.ca import CertificateAuthority
from provisioning.errors import ProvisioningError


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare `config`."""
    words = parser.add_subparsers(dest="word", required=True, metavar="WORD")
    config = words.add_parser("config", help="write mosquitto.conf, ACL files, key and certificates")
    config.add_argument("--dir", type=Path, required=True, metavar="CA_DIR", help="the authority's folder")
    config.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the files go")
    config.add_argument("--gateway-port", type=_port, default=8883, help="default: %(default)s")
    config.add_argument("--gateway-host", default="", help="address to listen on; all if left out")
    config.add_argument("--hub-port", type=_port, default=8884, help="default: %(default)s")
    config.add_argument("--hub-host", default="127.0.0.1", help="default: %(default)s")
    config.add_argument(
        "--files-in",
        type=Path,
        metavar="DIR",
        help="where the broker will see the files, when that is not --out (a container's mount)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the files and return 0, or print why not and return 1."""
    listeners = Listeners(
        gateway_port=arguments.gateway_port,
        hub_port=arguments.hub_port,
        gateway_host=arguments.gateway_host,
        hub_host=arguments.hub_host,
    )
    try:
        authority = CertificateAuthority.load(arguments.dir)
        written = write_configuration(authority, arguments.out, listeners, seen_in=arguments.files_in)
    except ProvisioningError as error:
        print(f"heng broker: {error}", file=sys.stderr)
        return 1
    user = service_user(("mosquitto",))
    if user is not None and user.name == "mosquitto":
        user.own(arguments.out)
    for path in written:
        print(path)
    print(f"next: mosquitto -c {arguments.out / CONFIGURATION}")
    return 0


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{port}: expected 1 to 65535")
    return port
