"""The hub's signing keys over the years: how a new one is made known before it is used, and believed.

A gateway has the key of its enrolment pinned. Each later key is the subject of a statement that the key
before it has signed, so that a gateway that was away for years walks from key to key. Old public keys are
kept for ever: what they signed stays provable.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import msgspec
from msgspec import Struct

from provisioning import files
from provisioning.algorithms import PublicSigningKey, read_public, write_public
from provisioning.errors import IdentityError
from provisioning.est import KeyStatement, statement_bytes
from provisioning.keys import Ed25519Signer

KEYS_FILE = "signing-keys.json"
SIGNING_KEY = "signing-key.pem"
NEXT_KEY = "next-signing-key.pem"


class _File(Struct, frozen=True):
    keys: list[str]
    statements: list[KeyStatement] = []


@dataclass(frozen=True, slots=True)
class HubKeys:
    """All public keys of a hub, the oldest first, and what leads from one to the next."""

    keys: Sequence[str]
    statements: Sequence[KeyStatement] = ()

    @classmethod
    def load(cls, folder: Path, signer: Ed25519Signer) -> Self:
        """Read an authority's folder; one from before keys changed has just `signer`."""
        path = folder / KEYS_FILE
        if not path.exists():
            return cls((write_public(signer.public_key),))
        try:
            found = msgspec.json.decode(files.read(path), type=_File)
        except msgspec.DecodeError as error:
            raise IdentityError(f"{path}: {error}") from None
        return cls(tuple(found.keys), tuple(found.statements))

    def with_next(self, signer: Ed25519Signer, public_key: bytes) -> Self:
        """Return the keys with one more, stated by the current one."""
        key = write_public(public_key)
        number = len(self.keys)
        signature = base64.b64encode(signer.sign(statement_bytes(number, key))).decode()
        statement = KeyStatement(key, number, signer.key_id.hex(), signature)
        return replace(self, keys=(*self.keys, key), statements=(*self.statements, statement))

    def to_json(self) -> bytes:
        """Return the text of the file."""
        return msgspec.json.format(msgspec.json.encode(_File(list(self.keys), list(self.statements)))) + b"\n"


def stage_next(folder: Path) -> Ed25519Signer:
    """Make the next signing key and state it; gateways learn it from now on. Nothing signs with it yet.

    `IdentityError` when a next one is there already.
    """
    signer = Ed25519Signer.from_pem(files.read(folder / SIGNING_KEY))
    if (folder / NEXT_KEY).exists():
        raise IdentityError(f"{folder / NEXT_KEY}: a next key is there already; take it into use first")
    known = HubKeys.load(folder, signer)
    fresh = Ed25519Signer.generate()
    files.write_new(folder / NEXT_KEY, fresh.to_pem())
    files.replace(folder / KEYS_FILE, known.with_next(signer, fresh.public_key).to_json(), mode=files.PUBLIC)
    return fresh


def use_next(folder: Path) -> Ed25519Signer:
    """Take the next key into use, in the authority and in the workers' folders that lie in it."""
    data = files.read(folder / NEXT_KEY)
    fresh = Ed25519Signer.from_pem(data)
    known = HubKeys.load(folder, Ed25519Signer.from_pem(files.read(folder / SIGNING_KEY)))
    if write_public(fresh.public_key) not in known.keys:
        raise IdentityError(f"{folder / NEXT_KEY}: no statement leads to it; remove it and make another")
    for worker in sorted((folder / "hubs").glob(f"*/{SIGNING_KEY}")):
        files.replace(worker, data)
    files.replace(folder / SIGNING_KEY, data)
    (folder / NEXT_KEY).unlink()
    return fresh


def believed(pinned: Sequence[str], statements: Sequence[KeyStatement]) -> list[str]:
    """Return the pinned keys and all that statements of theirs lead to, in order.

    A statement that no believed key signed is left aside: it proves nothing, whoever brought it.
    """
    keys = {read_public(text).key_id: read_public(text) for text in pinned}
    found = list(pinned)
    for statement in sorted(statements, key=lambda one: one.number):
        fresh = _stated(statement, keys)
        if fresh is not None and fresh.key_id not in keys:
            keys[fresh.key_id] = fresh
            found.append(statement.key)
    return found


def _stated(statement: KeyStatement, keys: dict[bytes, PublicSigningKey]) -> PublicSigningKey | None:
    try:
        signer = keys.get(bytes.fromhex(statement.signed_by))
        signature = base64.b64decode(statement.signature, validate=True)
        fresh = read_public(statement.key)
    except (ValueError, binascii.Error, IdentityError):
        return None
    said = statement_bytes(statement.number, statement.key)
    return fresh if signer is not None and signer.verify(said, signature) else None
