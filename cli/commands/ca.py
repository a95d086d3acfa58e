"""`heng ca`: make the certificate authority, and the identities of gateways, hub workers and broker."""

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from provisioning.ca import LEAF_DAYS, CertificateAuthority
from provisioning.errors import ProvisioningError
from provisioning.hub_keys import stage_next, use_next


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare `init`, `server` and `issue`."""
    words = parser.add_subparsers(dest="word", required=True, metavar="WORD")
    init = words.add_parser("init", help="make the authority's folder and the broker's certificate")
    _add_folder(init)
    init.add_argument(
        "--root-key",
        type=Path,
        metavar="FILE",
        help="where the root's key goes instead of DIR: another medium, kept apart; a hub never needs it",
    )
    init.set_defaults(act=_init)
    key = words.add_parser(
        "signing-key", help="change the key that the hub signs with: state the next one, then use it"
    )
    key.add_argument("step", choices=["next", "use"], help="next: gateways learn it; use: sign with it")
    _add_folder(key)
    key.set_defaults(act=_signing_key)
    server = words.add_parser(
        "server", help="make the broker a new certificate, when its old one was moved away"
    )
    _add_folder(server)
    server.set_defaults(act=_issue_server)
    for word in (init, server):
        word.add_argument(
            "--host",
            action="append",
            default=[],
            metavar="NAME",
            help="name or address at which gateways reach the broker, besides this machine's own; repeatable",
        )
    issue = words.add_parser("issue", help="issue the identity of a gateway or of a hub worker")
    kinds = issue.add_subparsers(dest="kind", required=True, metavar="KIND")
    gateway = kinds.add_parser("gateway", help="a gateway's identity folder")
    gateway.add_argument("name", metavar="ID", help="1 to 63 of a-z, 0-9 and '-'; never issued twice")
    gateway.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the folder goes")
    gateway.set_defaults(act=_issue_gateway)
    hub = kinds.add_parser("hub", help="a hub worker's identity folder")
    hub.add_argument("name", metavar="NAME", help="1 to 63 of a-z, 0-9 and '-'")
    hub.add_argument(
        "--out", type=Path, metavar="FOLDER", help="where the folder goes; DIR/hubs/NAME if left out"
    )
    hub.set_defaults(act=_issue_hub)
    for kind in (gateway, hub):
        _add_folder(kind)
        kind.add_argument("--days", type=_days, default=LEAF_DAYS, help="lifetime (default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Act and return 0, or print why not and return 1."""
    act: Callable[[argparse.Namespace], None] = arguments.act
    try:
        act(arguments)
    except ProvisioningError as error:
        print(f"heng ca: {error}", file=sys.stderr)
        return 1
    return 0


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dir", type=Path, required=True, metavar="DIR", help="the authority's folder")


def _days(text: str) -> int:
    days = int(text)
    if not 1 <= days <= LEAF_DAYS:
        raise argparse.ArgumentTypeError(f"{days}: expected 1 to {LEAF_DAYS}")
    return days


def _init(arguments: argparse.Namespace) -> None:
    authority = CertificateAuthority.create(
        arguments.dir, now=datetime.now(UTC), hosts=arguments.host, root_key=arguments.root_key
    )
    print(f"authority: {authority.folder}")
    print(f"hub key:   {authority.signer.key_id.hex()}")


def _signing_key(arguments: argparse.Namespace) -> None:
    if arguments.step == "next":
        print(f"next key: {stage_next(arguments.dir).key_id.hex()}")
        print("next:     wait until all gateways have been online for a day, then: heng ca signing-key use")
        return
    print(f"hub key: {use_next(arguments.dir).key_id.hex()}")
    print("next:    restart the hub's workers; folders of workers elsewhere need signing-key.pem as well")


def _issue_server(arguments: argparse.Namespace) -> None:
    authority = CertificateAuthority.load(arguments.dir)
    print(f"folder: {authority.issue_server(now=datetime.now(UTC), hosts=arguments.host)}")
    print("next:   heng broker config, and restart the broker")


def _issue_gateway(arguments: argparse.Namespace) -> None:
    authority = CertificateAuthority.load(arguments.dir)
    made = authority.issue_gateway(arguments.name, arguments.out, now=datetime.now(UTC), days=arguments.days)
    print(f"gateway:   {made.gateway}")
    print(f"folder:    {made.folder}")
    print(f"batch key: {made.signer.key_id.hex()}")


def _issue_hub(arguments: argparse.Namespace) -> None:
    authority = CertificateAuthority.load(arguments.dir)
    made = authority.issue_hub(arguments.name, arguments.out, now=datetime.now(UTC), days=arguments.days)
    print(f"hub:       {made.name}")
    print(f"folder:    {made.folder}")
    print("next:      heng broker config, and reload the broker, so that it lets this worker in")
