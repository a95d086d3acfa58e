"""`heng ca`: make the certificate authority, and the identities of gateways, hub workers and broker."""

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from provisioning import certificates, ends, files, succession
from provisioning.ca import AUTHORITY_DAYS, ISSUING_DAYS, LEAF_DAYS, CertificateAuthority
from provisioning.certificates import Issuer
from provisioning.errors import ProvisioningError
from provisioning.hub_keys import stage_next, use_next


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare `init`, `show`, `signing-key`, `issuing`, `server` and `issue`."""
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
    show = words.add_parser("show", help="say when each certificate ends that a person renews, and how")
    _add_folder(show)
    show.set_defaults(act=_show)
    _configure_issuing(words.add_parser("issuing", help="have the issuing CA followed by the next one"))
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


def _configure_issuing(parser: argparse.ArgumentParser) -> None:
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    ask = steps.add_parser("ask", help="on the hub: make the next one's key, and a request for the root")
    _add_folder(ask)
    ask.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the request goes")
    ask.set_defaults(act=_issuing_ask)
    sign = steps.add_parser("sign", help="where the root's key is: sign the request")
    sign.add_argument("request", type=Path, metavar="REQUEST", help="file that `ask` wrote")
    sign.add_argument("--root-key", type=Path, required=True, metavar="FILE")
    sign.add_argument("--root-cert", type=Path, required=True, metavar="FILE", help="root-cert.pem")
    sign.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the certificate goes")
    sign.add_argument(
        "--days",
        type=_authority_days,
        default=ISSUING_DAYS,
        help="lifetime, cut to the root's (default: %(default)s)",
    )
    sign.set_defaults(act=_issuing_sign)
    use = steps.add_parser("use", help="on the hub: issue with the next one from now on")
    use.add_argument("certificate", type=Path, metavar="CERTIFICATE", help="file that `sign` wrote")
    _add_folder(use)
    use.set_defaults(act=_issuing_use)


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


def _days(text: str, most: int = LEAF_DAYS) -> int:
    days = int(text)
    if not 1 <= days <= most:
        raise argparse.ArgumentTypeError(f"{days}: expected 1 to {most}")
    return days


def _authority_days(text: str) -> int:
    return _days(text, AUTHORITY_DAYS)


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


def _show(arguments: argparse.Namespace) -> None:
    now = datetime.now(UTC)
    for end in ends.of_authority(arguments.dir):
        print(f"{end.at:%Y-%m-%d}  {'! ' if end.is_near(now) else '  '}{end.what}: {end.then}")


def _issuing_ask(arguments: argparse.Namespace) -> None:
    files.write_new(arguments.out, succession.ask(arguments.dir), mode=files.PUBLIC)
    print(f"request: {arguments.out}")
    print("next:    where the root's key is: heng ca issuing sign")


def _issuing_sign(arguments: argparse.Namespace) -> None:
    root = Issuer(
        certificates.key_from_pem(files.read(arguments.root_key)),
        certificates.from_pem(files.read(arguments.root_cert))[0],
    )
    made = succession.sign_next(
        files.read(arguments.request), root, now=datetime.now(UTC), days=arguments.days
    )
    files.write_new(arguments.out, made, mode=files.PUBLIC)
    print(f"certificate: {arguments.out}")
    print(f"good until:  {certificates.from_pem(made)[0].not_valid_after_utc:%Y-%m-%d}")
    print("next:        on the hub: heng ca issuing use")


def _issuing_use(arguments: argparse.Namespace) -> None:
    authority = succession.use(arguments.dir, files.read(arguments.certificate), now=datetime.now(UTC))
    print(f"issuing CA: {certificates.common_name(authority.issuing.certificate)}")
    print("next:       heng broker config, reload the broker, restart the hub; gateways need nothing")


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
