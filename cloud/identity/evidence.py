"""Proves again what a gateway sealed.

Bytes, signature, chain; and says what is missing, stretch by stretch.

Nothing that the hub concluded when a batch arrived is believed: the hash is made anew from the kept bytes,
the signature is checked with a key whose certificate chain is checked, and what the row says has to be what
the bytes say.
"""

from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from cryptography import x509

from cloud.store.evidence import EvidenceKey, SealedBatch
from provisioning.errors import ProofError
from provisioning.keys import key_id_of, verify_ed25519
from provisioning.proof import check_key_proof
from wire.codec import body_hash, decode_body
from wire.errors import WireError
from wire.frame import Verify, signed_bytes
from wire.messages import Batch, KeyProof
from wire.topics import Channel, build

FAULTS_MAX = 200
_NO_HASH = bytes(32)


@dataclass
class EpochVerdict:
    """One journal of the gateway, as far as the interval goes."""

    epoch: str
    first: int
    last: int
    batches: int = 0
    proven: int = 0
    tombstoned: int = 0
    missing: list[tuple[int, int]] = field(default_factory=list)
    """First and last number of each stretch that is neither here nor said to be dropped."""


@dataclass
class EvidenceVerdict:
    """What was found about one gateway."""

    gateway: str
    batches: int = 0
    proven: int = 0
    """Bytes, signature and link to the batch before are good."""
    without_bytes: int = 0
    """The row is there and its bytes are not: retention is over."""
    epochs: list[EpochVerdict] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong and nothing is missing."""
        return not self.faults and not self.without_bytes and not any(one.missing for one in self.epochs)

    def fault(self, text: str) -> None:
        """Note a fault; the first ones are told."""
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(text)


def trusted_keys(
    gateway: str, keys: Sequence[EvidenceKey], ca: x509.Certificate | None, *, verdict: EvidenceVerdict
) -> Mapping[bytes, Verify]:
    """Return the gateway's keys whose proof holds (at the time they were first seen), by key id.

    Without a `ca` the proofs are taken as the hub judged them when it met the keys.
    """
    found: dict[bytes, Verify] = {}
    for key in keys:
        proof = KeyProof(certificate_pem=key.certificate_pem, public_key=key.public_key, signature=key.proof)
        try:
            if ca is not None:
                check_key_proof(gateway, proof, ca, now=key.first_seen_at)
            if key_id_of(key.public_key) != key.key_id:
                raise ProofError(f"gateway {gateway}: the key is not the one that its id names")
        except ProofError as error:
            verdict.fault(f"key {key.key_id.hex()}: {error}")
            continue
        found[key.key_id] = verify_ed25519(key.public_key)
    return found


async def verify_batches(
    batches: AsyncIterator[SealedBatch],
    *,
    keys: Mapping[bytes, Verify],
    tombstones: Mapping[tuple[bytes, int], tuple[bytes, str]],
    verdict: EvidenceVerdict,
) -> None:
    """Judge batches in order of epoch and number, and fill the verdict."""
    chain: _Chain | None = None
    async for batch in batches:
        verdict.batches += 1
        if chain is None or chain.epoch != batch.epoch:
            chain = _Chain(batch, tombstones, verdict)
        good = _bytes_are_good(batch, keys, verdict)
        linked = chain.take(batch)
        chain.account.batches += 1
        if good and linked:
            verdict.proven += 1
            chain.account.proven += 1


class _Chain:
    """The numbers of one epoch, one after the other."""

    def __init__(
        self,
        first: SealedBatch,
        tombstones: Mapping[tuple[bytes, int], tuple[bytes, str]],
        verdict: EvidenceVerdict,
    ) -> None:
        self.epoch = first.epoch
        self.account = EpochVerdict(first.epoch.hex(), first.seq, first.seq)
        self._tombstones = tombstones
        self._dropped = sorted(number for epoch, number in tombstones if epoch == first.epoch)
        self._verdict = verdict
        self._seq = first.seq - 1
        self._before: set[bytes] = set()
        """What may stand before the last number; empty: that is not known."""
        self._hashes = {_NO_HASH} if first.seq == 1 else set[bytes]()
        verdict.epochs.append(self.account)

    def take(self, batch: SealedBatch) -> bool:
        """Go on to a batch; return whether it names the one before it, as far as that is known."""
        if batch.seq == self._seq:
            self._verdict.fault(_at(batch, "this number came with two contents: a journal was copied"))
            self._hashes.add(batch.hash)
            return self._links(batch)
        if batch.seq > self._seq + 1:
            self._skip(self._seq + 1, batch.seq - 1)
        self._before = self._hashes
        self._seq, self._hashes = batch.seq, {batch.hash}
        self.account.last = batch.seq
        return self._links(batch)

    def _links(self, batch: SealedBatch) -> bool:
        linked = not self._before or batch.previous in self._before
        if not linked:
            self._verdict.fault(_at(batch, "does not name the batch before it"))
        return linked

    def _skip(self, first: int, last: int) -> None:
        """Account for numbers without a batch, which may be very many: dropped by the gateway, or missing."""
        for number in self._dropped[bisect_left(self._dropped, first) : bisect_right(self._dropped, last)]:
            self.account.tombstoned += 1
            self._miss(first, number - 1)
            first = number + 1
        self._miss(first, last)
        stone = self._tombstones.get((self.epoch, last))
        self._hashes = set() if stone is None else {stone[0]}

    def _miss(self, first: int, last: int) -> None:
        if first <= last:
            self.account.missing.append((first, last))


def _bytes_are_good(batch: SealedBatch, keys: Mapping[bytes, Verify], verdict: EvidenceVerdict) -> bool:
    if batch.body is None:
        verdict.without_bytes += 1
        return False
    faults = list(_byte_faults(batch, batch.body, keys, gateway=verdict.gateway))
    for text in faults:
        verdict.fault(_at(batch, text))
    return not faults


def _byte_faults(batch: SealedBatch, body: bytes, keys: Mapping[bytes, Verify], *, gateway: str) -> list[str]:
    faults = []
    if body_hash(body) != batch.hash:
        faults.append("its bytes are not those of its hash")
    verify = keys.get(batch.key_id)
    if verify is None:
        faults.append(f"signed with {batch.key_id.hex()}, which is no proven key of this gateway")
    elif not verify(signed_bytes(build(gateway, Channel.UP_BATCH), body), batch.signature):
        faults.append("its signature does not fit its bytes")
    try:
        said = decode_body(body, Batch)
    except WireError as error:
        return [*faults, f"its bytes are no batch: {error}"]
    if (said.gateway, said.epoch, said.seq, said.previous) != (
        gateway,
        batch.epoch,
        batch.seq,
        batch.previous,
    ):
        faults.append("its row says another gateway, epoch, number or previous hash than its bytes")
    return faults


def _at(batch: SealedBatch, text: str) -> str:
    return f"epoch {batch.epoch.hex()[:8]} batch {batch.seq}: {text}"
