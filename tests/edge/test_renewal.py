"""When the gateway asks its hub, and what it does with the answer; against a scripted desk and clock."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from edge.renewal import (
    CUT_OFF_S,
    FIRST_S,
    OFTEN_S,
    WAIT_FIRST_S,
    WAIT_LONGEST_S,
    WARN_AGAIN_S,
    Given,
    Renewal,
)
from provisioning import enrolment, files, identity
from provisioning.ca import CertificateAuthority
from provisioning.certificates import to_pem
from provisioning.errors import EnrolmentError
from provisioning.est import HubFacts
from provisioning.hub_keys import HubKeys, stage_next, use_next
from provisioning.identity import GatewayIdentity

pytestmark = pytest.mark.requirement("G-7.2a", "G-7.2f")

ISSUED = datetime(2026, 1, 1, tzinfo=UTC)


class Line:
    def __init__(self) -> None:
        self.connected = True
        self.unknown_key = False
        self.taken: list[GatewayIdentity] = []

    def take_identity(self, identity: GatewayIdentity) -> None:
        self.taken.append(identity)
        self.unknown_key = False


class Desk:
    """A hub that answers by the book, or as it is told."""

    def __init__(self, authority: CertificateAuthority, world: "World") -> None:
        self.authority, self.world = authority, world
        self.asked = self.renewed = 0
        self.error: EnrolmentError | None = None

    def ask_hub(self, folder: Any) -> HubFacts:
        self.asked += 1
        if self.error:
            raise self.error
        keys = HubKeys.load(self.authority.folder, self.authority.signer)
        time_ms = int(self.world.utc.timestamp() * 1000)
        facts = HubFacts("mqtts://hub:8883", list(keys.keys), list(keys.statements), time_ms)
        enrolment.take_hub_facts(folder, facts, url="https://hub:8885")
        return facts

    def renew(self, folder: Any) -> GatewayIdentity:
        self.renewed += 1
        key = enrolment.certificate_of(folder).public_key()
        leaf = self.authority.sign_gateway("renew-1", key, now=self.world.utc, days=90)
        chain = to_pem([leaf, self.authority.issuing.certificate])
        files.replace(folder / identity.TLS_CERTIFICATE, chain, mode=files.PUBLIC)
        return GatewayIdentity.load(folder)


class World:
    def __init__(self, tmp_path: Any, *, enrolled: bool = True, days: int = 90) -> None:
        self.monotonic = 1000.0
        self.utc = ISSUED
        self.knows_time = True
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.authority = CertificateAuthority.create(tmp_path / "ca", now=ISSUED)
        self.folder = tmp_path / "identity"
        made = self.authority.issue_gateway("renew-1", self.folder, now=ISSUED, days=days)
        if enrolled:
            place = b'{"url":"https://hub:8885","broker":"mqtts://hub:8883"}'
            files.replace(self.folder / enrolment.HUB_FILE, place)
        self.line, self.desk = Line(), Desk(self.authority, self)
        self.renewal = Renewal(
            Given(
                folder=self.folder,
                identity=made,
                line=self.line,
                tell=lambda kind, data: self.told.append((kind, dict(data))),
                utc_s=lambda: self.utc.timestamp() if self.knows_time else None,
                now=lambda: self.monotonic,
                random=lambda: 0.0,
                desk=self.desk,
            )
        )

    def look_after(self, seconds: float) -> bool:
        self.monotonic += seconds
        self.utc += timedelta(seconds=seconds)
        return asyncio.run(self.renewal.look())

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.told]


@pytest.fixture
def world(tmp_path: Any) -> World:
    return World(tmp_path)


def test_hub_is_asked_a_while_after_the_start_and_then_seldom(world: World) -> None:
    asked = [world.look_after(seconds) for seconds in (1.0, FIRST_S, 60.0, OFTEN_S - 61.0, 2.0)]
    assert asked == [False, True, False, False, True]
    assert (world.desk.renewed, world.told, world.line.taken) == (0, [], [])


def test_certificate_is_renewed_at_two_thirds_of_its_life(world: World) -> None:
    world.look_after(59 * 86400)
    assert world.desk.renewed == 0
    world.look_after(2 * 86400)
    assert world.desk.renewed == 1
    assert world.kinds == ["certificate_renewed"]
    taken = [one.certificate_pem for one in world.line.taken]
    assert taken == [GatewayIdentity.load(world.folder).certificate_pem]
    world.look_after(OFTEN_S)
    assert world.desk.renewed == 1


@pytest.mark.parametrize("knows_time", [True, False])
def test_gateway_back_after_400_days_renews_by_itself(world: World, knows_time: bool) -> None:
    """Without a time of its own it believes the hub's, for this alone."""
    world.utc += timedelta(days=400)
    world.knows_time, world.line.connected = knows_time, False
    world.look_after(CUT_OFF_S)
    assert (world.desk.renewed, len(world.line.taken)) == (1, 1)


def test_lost_line_makes_it_ask_sooner_but_not_often(world: World) -> None:
    world.look_after(FIRST_S)
    world.line.connected = False
    asked = [world.look_after(30.0) for _ in range(60)]
    assert 2 <= sum(asked) <= 30 * 60 / WAIT_FIRST_S


def test_outage_is_told_once_and_waited_for_ever_longer(world: World) -> None:
    world.line.connected = False
    world.desk.error = EnrolmentError("hub:8885: no route", again=True)
    asked = [world.look_after(30.0) for _ in range(6 * 120)]
    assert 6 * 3600 / WAIT_LONGEST_S <= sum(asked) <= 12
    assert world.told == [("certificate_refused", {"reason": "hub:8885: no route"})]


def test_hub_that_asks_for_time_gets_it(world: World) -> None:
    world.line.connected = False
    world.desk.error = EnrolmentError("the hub answered 202: wait", again=True, wait_s=1800.0)
    world.look_after(CUT_OFF_S)
    assert not any(world.look_after(300.0) for _ in range(5))
    assert world.look_after(301.0)


def test_refusal_for_good_is_not_asked_for_again_soon(world: World) -> None:
    world.line.connected = False
    world.desk.error = EnrolmentError("the hub answered 403: the gateway is revoked", again=False)
    world.look_after(CUT_OFF_S)
    assert not any(world.look_after(300.0) for _ in range(60))


def test_next_key_of_the_hub_is_learned_before_it_is_used(world: World) -> None:
    fresh = stage_next(world.authority.folder)
    world.look_after(FIRST_S)
    assert world.told == [("hub_key_added", {"key_id": fresh.key_id.hex()})]
    assert fresh.key_id in world.line.taken[0].hub_verifiers
    assert world.line.taken[0].certificate_pem == GatewayIdentity.load(world.folder).certificate_pem


def test_gateway_that_missed_two_changes_walks_from_key_to_key(world: World) -> None:
    stage_next(world.authority.folder)
    use_next(world.authority.folder)
    stage_next(world.authority.folder)
    last = use_next(world.authority.folder)
    world.look_after(FIRST_S)
    world.line.unknown_key = True
    world.look_after(WAIT_FIRST_S)
    assert last.key_id in world.line.taken[0].hub_verifiers
    assert world.kinds == ["hub_key_added", "hub_key_added"]


def test_certificate_that_nobody_renews_is_told_before_it_ends(tmp_path: Any) -> None:
    """An identity that was carried here by hand has no desk to ask: a person has to know in time."""
    world = World(tmp_path, enrolled=False, days=825)
    world.renewal.warn()
    world.utc += timedelta(days=734)
    world.renewal.warn()
    assert world.told == []
    world.utc += timedelta(days=2)
    world.knows_time = False
    world.renewal.warn()
    assert world.told == []
    world.knows_time = True
    for _ in range(3):
        world.renewal.warn()
    assert world.told == [("certificate_ending", {"valid_until": "2028-04-05T00:00:00+00:00"})]
    world.monotonic += WARN_AGAIN_S
    world.renewal.warn()
    assert world.kinds == ["certificate_ending"] * 2


def test_identity_made_by_hand_is_left_alone(tmp_path: Any) -> None:
    world = World(tmp_path, enrolled=False)

    async def scene() -> None:
        async with asyncio.timeout(0.2):
            await world.renewal.run()

    with pytest.raises(TimeoutError):
        asyncio.run(scene())
    assert world.desk.asked == 0
