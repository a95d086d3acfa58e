"""Faults made of messages: replayed, forged, hostile and premature ones, sent through the real broker.

They use real certificates: what a broken or captured gateway, or a compromised broker, could send.
"""

import asyncio
import secrets
import time
from collections.abc import Iterable
from random import Random

from cli.embedded import processes
from cli.faults import hostile, mqtt
from cli.faults.hostile import Message, Stranger
from cli.faults.script import Step
from cli.faults.stage import GatewayStand, Stage
from provisioning.identity import GatewayIdentity
from wire import codec, frame, topics
from wire.layouts import make_layout
from wire.messages import TICKS_PER_S, Batch, Clock, GatewayStatus, PointDeclaration, Points, Poll
from wire.status import ClockState, PointKind
from wire.topics import Channel

_RECENT = 60
_OLDER = 200
LATE_PERIOD_S = 0.5
LATE_ANSWERS = 10


async def replay_batches(stage: Stage, step: Step, random: Random) -> str:
    """Batches reach the hub for the first time reversed, doubled and mixed with much older ones."""
    gateway = stage.gateways[step.targets[0]]
    topic = topics.build(gateway.name, Channel.UP_BATCH)
    await stage.hub.kill()
    known = len(stage.tap.of(topic))
    await asyncio.sleep(step.outage_s + 1)
    await gateway.kill(step.fault)
    captured = stage.tap.of(topic)
    await stage.broker.kill()
    await stage.broker.start()
    await stage.hub.start()
    await stage.until_ready()
    fresh = list(reversed(captured[known:]))[:_RECENT]
    older = random.sample(captured[:known], min(_OLDER, known))
    mixed = [*fresh, *older, *fresh]
    random.shuffle(mixed)
    sent = await asyncio.to_thread(_send_as, gateway.identity, stage.gateway_port, [*fresh, *mixed])
    await gateway.process.start()
    return f"{gateway.name}: {len(fresh)} new and {len(older)} old batches sent {sent} times"


async def send_hostile_messages(stage: Stage, step: Step, random: Random) -> str:
    """Everything that the hub must refuse, from the gateway itself and from a stranger."""
    gateway = stage.gateways[step.targets[0]]
    captured = await _latest_batch(stage, gateway)
    await gateway.kill(step.fault)
    as_victim = hostile.as_victim(captured, random)
    stranger = Stranger(stage.stranger.gateway, stage.stranger.signer)
    as_stranger = hostile.as_stranger(captured, stranger)
    port = stage.gateway_port
    # One connection each: the broker ends it on a message that is too large.
    sent = sum(
        [
            *[await asyncio.to_thread(_send_as, gateway.identity, port, [m]) for m in as_victim.values()],
            *[await asyncio.to_thread(_send_as, stage.stranger, port, [m]) for m in as_stranger.values()],
        ]
    )
    await gateway.process.start()
    return f"{gateway.name}: {len(as_victim) + len(as_stranger)} kinds, {sent} taken by the broker"


async def forge_acks(stage: Stage, step: Step, _: Random) -> str:
    """Without a hub, acks that no hub key signed; then the broker forgets what it had queued."""
    gateway = stage.gateways[step.targets[0]]
    topic = topics.build(gateway.name, Channel.UP_BATCH)
    await stage.hub.kill()
    known = len(stage.tap.of(topic))
    await asyncio.sleep(step.outage_s + 1)
    waiting = stage.tap.of(topic)[known:]
    other = next(name for name in stage.gateways if name != gateway.name)
    acks = [
        ack
        for batch in waiting
        for ack in hostile.forged_acks(
            batch, other=other, signer=stage.stranger.signer, now_ms=int(time.time() * 1000)
        ).values()
    ]
    sent = await asyncio.to_thread(_send_from_broker, stage, acks)
    await asyncio.sleep(1)
    await stage.broker.kill()
    await stage.broker.start()
    await stage.hub.start()
    return f"{gateway.name}: {sent} forged acks for {len(waiting)} batches"


async def declare_late(stage: Stage, step: Step, _: Random) -> str:
    """A batch of a point that is declared only afterwards."""
    await stage.until_ready()
    late = stage.late
    point = f"late-{step.seed:08x}/answers"
    now = time.time()
    given = {number: now - (LATE_ANSWERS - number) * LATE_PERIOD_S for number in range(1, LATE_ANSWERS + 1)}
    late.given_out[point] = given
    batch, declaration = _late_messages(late.identity.gateway, point, given)
    late.messages += [_late_status(late.identity), _signed(late.identity, Channel.UP_BATCH, batch)]
    await say_again(stage)
    await asyncio.sleep(step.outage_s)
    late.messages.append(_signed(late.identity, Channel.UP_POINTS, declaration))
    await say_again(stage)
    return f"{point} declared {step.outage_s} s after its {LATE_ANSWERS} readings"


async def say_again(stage: Stage) -> int:
    """Send everything that the late gateway has to say, as after a reconnect; return how much was taken."""
    late = stage.late
    if not late.messages:
        return 0
    return await asyncio.to_thread(_send_as, late.identity, stage.gateway_port, late.messages)


async def _latest_batch(stage: Stage, gateway: GatewayStand) -> Message:
    topic = topics.build(gateway.name, Channel.UP_BATCH)

    async def heard() -> bool:
        return bool(stage.tap.of(topic))

    if not await processes.until(heard, timeout_s=60):
        raise TimeoutError(f"{gateway.name} sent no batch for 60 s")
    return stage.tap.of(topic)[-1]


def _late_messages(gateway: str, point: str, given: dict[int, float]) -> tuple[Batch, Points]:
    layout = make_layout([point], [0])
    ticks = {number: round(at * TICKS_PER_S) for number, at in given.items()}
    base = min(ticks.values())
    batch = Batch(
        gateway=gateway,
        epoch=secrets.token_bytes(16),
        seq=1,
        previous=bytes(32),
        boot=secrets.token_bytes(16),
        clock=Clock(ClockState.SYNCHRONISED, 0, 10, "system"),
        base_tick=base,
        polls=[Poll(layout.id, tick - base, [number]) for number, tick in ticks.items()],
    )
    declared = PointDeclaration(name=point, quantity="count", kind=PointKind.COUNTER, exponent=0)
    return batch, Points(gateway=gateway, points=[declared], layouts=[layout])


def _late_status(identity: GatewayIdentity) -> Message:
    status = GatewayStatus(
        gateway=identity.gateway,
        session=secrets.token_bytes(16),
        online=True,
        boot=secrets.token_bytes(16),
        key_proof=identity.key_proof(),
    )
    return _signed(identity, Channel.UP_STATUS, status)


def _signed(identity: GatewayIdentity, channel: Channel, message: Batch | Points | GatewayStatus) -> Message:
    topic = topics.build(identity.gateway, channel)
    return Message(topic, frame.encode(topic, codec.encode_body(message), identity.signer))


def _send_as(identity: GatewayIdentity, port: int, messages: Iterable[Message]) -> int:
    with mqtt.connected(identity.gateway, identity.tls_context(), port) as client:
        return mqtt.publish(client, messages)


def _send_from_broker(stage: Stage, messages: Iterable[Message]) -> int:
    identity = stage.tap_identity
    with mqtt.connected(identity.client_id("forge"), identity.tls_context(), stage.hub_port) as client:
        return mqtt.publish(client, messages)
