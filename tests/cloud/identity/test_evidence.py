"""Stored evidence is proven again from its bytes; whatever is altered or missing is named."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cloud.identity.evidence import EvidenceVerdict, trusted_keys, verify_batches
from cloud.store.evidence import EvidenceKey, SealedBatch, lost_batches, sealed_batches
from provisioning.keys import Ed25519Signer, verify_ed25519
from wire.codec import body_hash, encode_body
from wire.frame import signed_bytes
from wire.messages import Batch, Clock
from wire.status import ClockState
from wire.topics import Channel, build

pytestmark = pytest.mark.requirement("G-7.2b")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SIGNER = Ed25519Signer.generate()
EPOCH = bytes(16)


def chain(count: int) -> list[SealedBatch]:
    previous, made = bytes(32), []
    for seq in range(1, count + 1):
        body = encode_body(
            Batch(
                gateway="gw",
                epoch=EPOCH,
                seq=seq,
                previous=previous,
                boot=bytes(16),
                clock=Clock(ClockState.UNSYNCHRONISED),
                base_tick=seq,
            )
        )
        signature = SIGNER.sign(signed_bytes(build("gw", Channel.UP_BATCH), body))
        made.append(
            SealedBatch(
                id=seq,
                epoch=EPOCH,
                seq=seq,
                hash=body_hash(body),
                previous=previous,
                key_id=SIGNER.key_id,
                signature=signature,
                state="placed",
                first_at=NOW,
                last_at=NOW,
                received_at=NOW,
                body=body,
            )
        )
        previous = made[-1].hash
    return made


def judged(batches, *, stones=None, keys=None) -> EvidenceVerdict:
    async def every() -> AsyncIterator[SealedBatch]:
        for batch in batches:
            yield batch

    verdict = EvidenceVerdict("gw")
    known = {SIGNER.key_id: verify_ed25519(SIGNER.public_key)} if keys is None else keys
    asyncio.run(verify_batches(every(), keys=known, tombstones=stones or {}, verdict=verdict))
    return verdict


def test_untouched_chain_is_proven_whole():
    verdict = judged(chain(5))
    assert (verdict.batches, verdict.proven, verdict.faults, verdict.whole) == (5, 5, [], True)


def test_interval_that_begins_within_a_chain_is_proven_too():
    assert judged(chain(5)[2:]).whole


def test_altered_byte_is_found_with_its_row_made_to_fit():
    batches = chain(4)
    body = batches[1].body.replace(b'"base_tick":2', b'"base_tick":9')
    assert body != batches[1].body
    batches[1] = replace(batches[1], body=body)
    assert [f.split(": ", 1)[1] for f in judged(batches).faults] == [
        "its bytes are not those of its hash",
        "its signature does not fit its bytes",
    ]
    batches[1] = replace(batches[1], hash=body_hash(body))
    faults = judged(batches).faults
    assert "epoch 00000000 batch 2: its signature does not fit its bytes" in faults
    assert "epoch 00000000 batch 3: does not name the batch before it" in faults


def test_missing_and_tombstoned_batches_are_told_apart():
    batches = chain(9)
    stones = {(EPOCH, 5): (batches[4].hash, "room")}
    kept = [batch for batch in batches if batch.seq not in (2, 3, 5, 7)]
    verdict = judged(kept, stones=stones)
    assert verdict.epochs[0].missing == [(2, 3), (7, 7)]
    assert verdict.epochs[0].tombstoned == 1
    assert (verdict.faults, verdict.whole, verdict.proven) == ([], False, 5)


def test_number_far_away_is_judged_at_once():
    first, far = chain(2)
    stones = {(EPOCH, 2): (far.hash, "room"), (EPOCH, 10**15): (far.hash, "room")}
    verdict = judged([first, replace(far, seq=2**60)], stones=stones)
    assert verdict.epochs[0].missing == [(3, 10**15 - 1), (10**15 + 1, 2**60 - 1)]
    assert verdict.epochs[0].tombstoned == 2


def test_unknown_key_foreign_topic_and_row_that_contradicts_its_bytes_are_found():
    assert "no proven key" in judged(chain(1), keys={}).faults[0]
    (batch,) = chain(1)
    elsewhere = SIGNER.sign(signed_bytes("heng/1/other/up/batch", batch.body))
    foreign = replace(batch, signature=elsewhere)
    assert judged([foreign]).faults == ["epoch 00000000 batch 1: its signature does not fit its bytes"]
    renumbered = replace(chain(1)[0], seq=2)
    assert "row says another" in judged([renumbered]).faults[0]


def test_bytes_whose_retention_is_over_are_counted_and_not_called_proven():
    batches = chain(3)
    batches[1] = replace(batches[1], body=None)
    verdict = judged(batches)
    assert (verdict.proven, verdict.without_bytes, verdict.faults, verdict.whole) == (2, 1, [], False)


def test_number_that_came_with_two_contents_is_told():
    batches = chain(3)
    twin = replace(batches[1], id=9)
    assert "two contents" in judged([batches[0], batches[1], twin, batches[2]]).faults[0]
    (_, _, alien) = chain(3)
    renumbered = replace(alien, seq=2)
    assert "batch 2: does not name the batch before it" in str(judged([*batches[:2], renumbered]).faults)


def test_key_whose_proof_does_not_hold_proves_nothing(ca, gateway_identity):
    identity = gateway_identity("gw-evidence")
    good = EvidenceKey(
        identity.signer.key_id,
        identity.signer.public_key,
        identity.certificate_pem,
        identity.proof,
        datetime.now(UTC),
        None,
    )
    verdict = EvidenceVerdict("gw-evidence")
    assert set(trusted_keys("gw-evidence", [good], ca.root, verdict=verdict)) == {good.key_id}
    swapped = replace(good, public_key=SIGNER.public_key)
    assert trusted_keys("gw-evidence", [swapped], ca.root, verdict=verdict) == {}
    assert verdict.faults


def test_interval_takes_every_number_between_its_first_and_last_batch(lab):
    """Fresh readings are sealed before older ones: the times of a chain go up and down."""
    hours = [5, 0, 6, 1, 7, 2]
    batches = [
        replace(batch, first_at=NOW + timedelta(hours=hour), last_at=NOW + timedelta(hours=hour))
        for batch, hour in zip(chain(6), hours, strict=True)
    ]
    lab.execute("INSERT INTO gateways (organisation_id, name) VALUES (1, 'gw')")
    ((gateway,),) = lab.execute("SELECT id FROM gateways WHERE name = 'gw'")
    for batch in batches:
        ((number,),) = lab.execute(
            "INSERT INTO batches (organisation_id, gateway_id, epoch, seq, hash, previous, key_id, signature,"
            " boot, clock_state, clock_source, state, readings, first_at, last_at, received_at)"
            " VALUES (1, %s, %s, %s, %s, %s, %s, %s, '', 'synchronised', '', 'placed', 0, %s, %s, now())"
            " RETURNING id",
            gateway,
            batch.epoch,
            batch.seq,
            batch.hash,
            batch.previous,
            batch.key_id,
            batch.signature,
            batch.first_at,
            batch.last_at,
        )
        lab.execute("INSERT INTO batch_bodies (batch_id, body) VALUES (%s, %s)", number, batch.body)

    async def read(connection):
        found = sealed_batches(
            connection, gateway, from_at=NOW + timedelta(hours=5), to_at=NOW + timedelta(hours=8), part=2
        )
        verdict = EvidenceVerdict("gw")
        keys = {SIGNER.key_id: verify_ed25519(SIGNER.public_key)}
        await verify_batches(found, keys=keys, tombstones={}, verdict=verdict)
        return verdict

    verdict = lab.run(read)
    assert (verdict.batches, verdict.proven, verdict.whole) == (5, 5, True)
    first = "(SELECT min(batch_id) FROM batch_bodies)"
    lab.execute(f"UPDATE batch_bodies SET body = body || ' ' WHERE batch_id = {first}")
    assert [fault.split(": ")[1] for fault in lab.run(read).faults] == [
        "its bytes are not those of its hash",
        "its signature does not fit its bytes",
    ]
    lab.execute("DELETE FROM batches WHERE seq = 2")
    assert lab.run(read).epochs[0].missing == [(2, 2)]
    lab.execute(
        "INSERT INTO ledger (gateway_id, organisation_id, epoch, received) VALUES (%s, 1, %s, '{[1,9)}'),"
        " (%s, 1, %s, '{[1,4)}')",
        *(gateway, EPOCH, gateway, bytes([1]) * 16),
    )
    lost = lab.run(lambda connection: lost_batches(connection, gateway))
    assert lost == [(EPOCH, 2, 2), (EPOCH, 7, 8), (bytes([1]) * 16, 1, 3)]
