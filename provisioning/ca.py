"""The certificate authority of one hub, as a folder: makes it, and issues gateways, hub workers, broker.

Two hierarchies, so that a gateway's certificate is worthless on the hub's listener and the other way
round: the root with its issuing CA (gateways and broker), and the hub CA (hub workers). It never
overwrites a file but those that it renews, and never issues a gateway id twice on its own. Which certificates
were issued over the network, and which of them were revoked, is known to the hub's database, not to it.

Folder::

    root-key.pem root-cert.pem       the key is needed for nothing that a hub does: better kept elsewhere
    issuing-key.pem issuing-cert.pem
    next-issuing-key.pem             while the issuing CA is renewed, see `provisioning.succession`
    earlier/<serial>/                issuing-key.pem issuing-cert.pem of issuing CAs before this one
    hub-ca-key.pem hub-ca-cert.pem
    signing-key.pem                  the hub's word: acks, commands, shadows
    share-name                       secret name of the workers' shared subscription
    next-signing-key.pem             while the hub changes its key
    signing-keys.json                all public keys of the hub, and the statements that lead to each
    crl.pem                          what the broker refuses
    broker/                          tls-key.pem tls-cert.pem
    est/                             the same for the EST listener
    hubs/<name>/                     identity folders of hub workers
    gateways/<id>/tls-cert.pem       which ids were issued; their keys are not kept here
"""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

import msgspec
from cryptography import x509

from provisioning import certificates, files, identity
from provisioning.certificates import Issuer, Validity
from provisioning.errors import IdentityError
from provisioning.hub_keys import HubKeys
from provisioning.identity import GatewayIdentity, HubIdentity
from provisioning.keys import Ed25519Signer
from provisioning.proof import sign_key_proof
from provisioning.revocation import revocation_list
from wire.errors import TopicError
from wire.topics import check_gateway_id

AUTHORITY_DAYS = 7305
ISSUING_DAYS = 3653
"""Half of its root's life, so that the next one is issued while the root lives long enough for it."""
LEAF_DAYS = 825
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")

_ROOT = "root"
_ISSUING = "issuing"
_EARLIER = "earlier"
_HUB_CA = "hub-ca"


@dataclass(frozen=True, slots=True)
class CertificateAuthority:
    """A loaded authority folder."""

    folder: Path
    issuing: Issuer
    earlier: tuple[Issuer, ...]
    """Issuing CAs before; what they issued is good until it ends."""
    hub_ca: Issuer
    signer: Ed25519Signer
    root_pem: bytes
    share_name: str

    @classmethod
    def create(
        cls, folder: Path, *, now: datetime, hosts: Sequence[str] = (), root_key: Path | None = None
    ) -> Self:
        """Make the whole folder; `IdentityError` when there is one already.

        `hosts` are the names and addresses of broker and EST listener, besides this machine's own. With
        `root_key` the root's key goes into that file instead of the folder.
        """
        if (folder / "root-cert.pem").exists():
            raise IdentityError(f"{folder}: holds a certificate authority already")
        files.make_folder(folder)
        long = Validity(now, AUTHORITY_DAYS)
        root = certificates.root("Heng root CA", long)
        _write_issuer(folder, _ROOT, root, key_file=root_key)
        issuing = certificates.intermediate(root, "Heng issuing CA", Validity(now, ISSUING_DAYS))
        _write_issuer(folder, _ISSUING, issuing)
        _write_issuer(folder, _HUB_CA, certificates.root("Heng hub CA", long))
        files.write_new(folder / identity.SIGNING_KEY, Ed25519Signer.generate().to_pem())
        files.write_new(folder / identity.SHARE_NAME, secrets.token_hex(16).encode() + b"\n")
        authority = cls.load(folder)
        authority.issue_server(now=now, hosts=hosts)
        authority.keep_est_server(now=now, hosts=hosts)
        authority.write_revocations([], now=now)
        return authority

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the folder; `IdentityError` names the file that is missing or damaged."""
        return cls(
            folder=folder,
            issuing=_read_issuer(folder, _ISSUING),
            earlier=tuple(
                _read_issuer(path.parent, _ISSUING)
                for path in sorted((folder / _EARLIER).glob(f"*/{_ISSUING}-cert.pem"))
            ),
            hub_ca=_read_issuer(folder, _HUB_CA),
            signer=Ed25519Signer.from_pem(files.read(folder / identity.SIGNING_KEY)),
            root_pem=files.read(folder / "root-cert.pem"),
            share_name=files.read(folder / identity.SHARE_NAME).decode().strip(),
        )

    @property
    def chain(self) -> list[x509.Certificate]:
        """The root and all issuing CAs, the present one first: what leads to everything that is good."""
        return [self.root, self.issuing.certificate, *(one.certificate for one in self.earlier)]

    @property
    def hub_ca_pem(self) -> bytes:
        """The certificate that the hub's listener trusts."""
        return certificates.to_pem([self.hub_ca.certificate])

    @property
    def broker_folder(self) -> Path:
        """Where the broker's own key and certificate are."""
        return self.folder / "broker"

    @property
    def est_folder(self) -> Path:
        """Where the EST listener's own key and certificate are."""
        return self.folder / "est"

    @property
    def revocations(self) -> Path:
        """The list that the broker refuses certificates by."""
        return self.folder / "crl.pem"

    @property
    def root(self) -> x509.Certificate:
        """What every gateway pins."""
        return certificates.from_pem(self.root_pem)[0]

    def hub_names(self) -> list[str]:
        """Return the names of all hub workers that were issued."""
        return sorted(path.name for path in (self.folder / "hubs").glob("*") if path.is_dir())

    def issue_server(self, *, now: datetime, hosts: Sequence[str] = ()) -> Path:
        """Make the broker's key and certificate for this machine's own names and `hosts`."""
        key = certificates.new_key()
        names = list(dict.fromkeys((*LOCAL_HOSTS, *hosts)))
        leaf = certificates.server(self.issuing, names, key=key, validity=Validity(now, LEAF_DAYS))
        folder = files.make_folder(self.broker_folder)
        files.write_new(folder / identity.TLS_KEY, certificates.key_to_pem(key))
        chain = certificates.to_pem([leaf, self.issuing.certificate])
        files.write_new(folder / identity.TLS_CERTIFICATE, chain, mode=files.PUBLIC)
        return folder

    def keep_est_server(self, *, now: datetime, hosts: Sequence[str] = ()) -> bool:
        """Make or renew what the EST listener shows; return whether it was needed.

        It is renewed when two thirds of its life are over, or when a host or the issuing CA is another one.
        When the issuing CA has ended the last one stays: gateways do not judge its dates, and are told so.
        """
        names = list(dict.fromkeys((*LOCAL_HOSTS, *hosts)))
        folder = files.make_folder(self.est_folder)
        certificate = folder / identity.TLS_CERTIFICATE
        if certificate.exists() and (folder / identity.TLS_KEY).exists():
            leaf = certificates.from_pem(files.read(certificate))[0]
            fits = set(names) <= set(certificates.hosts_of(leaf)) and certificates.is_issued(
                leaf, self.issuing.certificate
            )
            if now >= self.issuing.certificate.not_valid_after_utc:
                return False
            if fits and now < certificates.renewal_due(leaf):
                return False
        key = certificates.new_key()
        leaf = certificates.server(
            self.issuing, names, key=key, validity=Validity(now, LEAF_DAYS), common_name="heng-est"
        )
        # The certificate goes first: a crash in between leaves a pair that does not fit, which is made again.
        certificate.unlink(missing_ok=True)
        files.replace(folder / identity.TLS_KEY, certificates.key_to_pem(key))
        chain = certificates.to_pem([leaf, self.issuing.certificate])
        files.replace(certificate, chain, mode=files.PUBLIC)
        return True

    def sign_gateway(
        self, gateway: str, key: certificates.PublicKey, *, now: datetime, days: int
    ) -> x509.Certificate:
        """Issue a certificate for a key that a gateway keeps; the caller knows that it may have it."""
        check_gateway_id(gateway)
        return certificates.client(
            self.issuing, gateway, uri=identity.gateway_uri(gateway), key=key, validity=Validity(now, days)
        )

    def was_issued(self, gateway: str, key_sha256: bytes) -> bool:
        """Whether this id was issued before, in whatever way, to another key than this one."""
        path = self.folder / "gateways" / gateway / identity.TLS_CERTIFICATE
        if not path.exists():
            return False
        return certificates.spki_sha256(certificates.from_pem(files.read(path))[0]) != key_sha256

    def serials_of(self, gateways: Collection[str]) -> list[int]:
        """Return the serial numbers of what these gateways were issued first, as far as the folder knows."""
        records = (self.folder / "gateways" / name / identity.TLS_CERTIFICATE for name in gateways)
        return [certificates.from_pem(files.read(one))[0].serial_number for one in records if one.exists()]

    def note_issued(self, gateway: str, leaf: x509.Certificate) -> None:
        """Keep what was issued over the network, so that the id is not issued into a folder as well."""
        record = files.make_folder(self.folder / "gateways" / gateway) / identity.TLS_CERTIFICATE
        if not record.exists():
            chain = certificates.to_pem([leaf, self.issuing.certificate])
            files.replace(record, chain, mode=files.PUBLIC)

    def write_revocations(self, serials: Sequence[int], *, now: datetime) -> Path:
        """Write the list of what the broker refuses, for as long as the authority lasts.

        It is one list of each issuing CA, because a certificate is looked up in that of its issuer. A number
        is in all of them: it is random, and so no other certificate's.
        """
        files.replace(self.revocations, self._lists(serials, now), mode=files.PUBLIC)
        return self.revocations

    def _lists(self, serials: Sequence[int], now: datetime) -> bytes:
        return b"".join(revocation_list(one, serials, now=now) for one in (self.issuing, *self.earlier))

    def revocations_pem(self) -> bytes:
        """Return the list as last written; an authority that never wrote one has revoked nothing."""
        if self.revocations.exists():
            return files.read(self.revocations)
        return self._lists([], self.issuing.certificate.not_valid_before_utc)

    def issue_gateway(
        self, gateway: str, out: Path, *, now: datetime, days: int = LEAF_DAYS
    ) -> GatewayIdentity:
        """Make an identity folder for a gateway; `IdentityError` when the id was issued before."""
        try:
            check_gateway_id(gateway)
        except TopicError as error:
            raise IdentityError(str(error)) from None
        _require_empty(out)
        key = certificates.new_key()
        leaf = certificates.client(
            self.issuing, gateway, uri=identity.gateway_uri(gateway), key=key, validity=Validity(now, days)
        )
        chain = certificates.to_pem([leaf, self.issuing.certificate])
        record = files.make_folder(self.folder / "gateways" / gateway)
        files.write_new(record / identity.TLS_CERTIFICATE, chain, mode=files.PUBLIC)
        batch = Ed25519Signer.generate()
        files.make_folder(out)
        files.write_new(out / identity.TLS_KEY, certificates.key_to_pem(key))
        files.write_new(out / identity.TLS_CERTIFICATE, chain, mode=files.PUBLIC)
        files.write_new(out / identity.CA, self.root_pem, mode=files.PUBLIC)
        files.write_new(out / identity.BATCH_KEY, batch.to_pem())
        proof = sign_key_proof(gateway, batch.public_key, key)
        files.write_new(out / identity.KEY_PROOF, proof, mode=files.PUBLIC)
        files.write_new(out / identity.HUB_KEYS, self._hub_keys(), mode=files.PUBLIC)
        return GatewayIdentity.load(out)

    def issue_hub(
        self, name: str, out: Path | None = None, *, now: datetime, days: int = LEAF_DAYS
    ) -> HubIdentity:
        """Make an identity folder for a hub worker, in `hubs/<name>` unless `out` is given."""
        try:
            check_gateway_id(name)
        except TopicError:
            raise IdentityError(f"hub name {name[:80]!r}: expected 1 to 63 of a-z, 0-9 and '-'") from None
        record = self.folder / "hubs" / name
        out = out or record
        _require_empty(out)
        _require_empty(record)
        key = certificates.new_key()
        leaf = certificates.client(
            self.hub_ca,
            identity.HUB_PREFIX + name,
            uri=f"urn:heng:hub:{name}",
            key=key,
            validity=Validity(now, days),
        )
        files.make_folder(record)
        files.make_folder(out)
        files.write_new(out / identity.TLS_KEY, certificates.key_to_pem(key))
        files.write_new(out / identity.TLS_CERTIFICATE, certificates.to_pem([leaf]), mode=files.PUBLIC)
        files.write_new(out / identity.CA, self.root_pem, mode=files.PUBLIC)
        files.write_new(out / identity.SIGNING_KEY, self.signer.to_pem())
        files.write_new(out / identity.SHARE_NAME, self.share_name.encode() + b"\n")
        return HubIdentity.load(out)

    def _hub_keys(self) -> bytes:
        return msgspec.json.encode(list(HubKeys.load(self.folder, self.signer).keys))


def _write_issuer(folder: Path, name: str, issuer: Issuer, *, key_file: Path | None = None) -> None:
    files.write_new(key_file or folder / f"{name}-key.pem", certificates.key_to_pem(issuer.key))
    files.write_new(folder / f"{name}-cert.pem", certificates.to_pem([issuer.certificate]), mode=files.PUBLIC)


def _read_issuer(folder: Path, name: str) -> Issuer:
    key = certificates.key_from_pem(files.read(folder / f"{name}-key.pem"))
    certificate = certificates.from_pem(files.read(folder / f"{name}-cert.pem"))[0]
    if certificates.spki_sha256(certificate) != certificates.public_key_sha256(key.public_key()):
        raise IdentityError(f"{folder / f'{name}-cert.pem'}: is not of the key beside it")
    return Issuer(key, certificate)


def _require_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise IdentityError(f"{folder}: is there already and is never overwritten")
