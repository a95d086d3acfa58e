"""Proof tests are recorded with what the gateway told; rehearsals say when a rule would have tripped."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from psycopg_pool import AsyncConnectionPool

from cloud import interlock_acts, interlock_rehearsal
from cloud.identity.acts import Act, ActError, ForbiddenError
from cloud.identity.viewer import Viewer
from cloud.interlock_rehearsal import Asked, RehearsalError
from cloud.store import control_status, proofs, shadow
from cloud.store.connection import Connection
from cloud.store.snapshot import snapshot
from rules.interlock.proof import ProofState
from rules.interlock.rehearse import Rehearsal
from rules.permissions import Grant, Rights, Role
from tests.cloud.control.conftest import NAME, status
from wire.codec import encode_body
from wire.control import InterlockNow
from wire.messages import PointDeclaration, Points
from wire.settings.toml import to_toml

pytestmark = [pytest.mark.requirement("G-6.9a2", "G-6.11")]
T = TypeVar("T")
START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
POINT = "room-2/air/temperature"
RULE: dict[str, Any] = {
    "name": "climate",
    "group": [
        {
            "name": "air",
            "cause": [
                {
                    "kind": "limit",
                    "name": "hot",
                    "point": POINT,
                    "high": "24",
                    "guarded": False,
                    "off_delay_s": 5,
                }
            ],
        }
    ],
    "effect": [{"kind": "hold_work", "target": "room-2"}],
    "proof": {"every_days": 365},
}
DEVICE = {"driver": "gnss", "name": "gps", "prefix": "car"}


@pytest.fixture(autouse=True)
def gateway(lab: Any, people: Any) -> int:
    """A gateway that runs one interlock over one point."""
    for table in ("control_proofs", "events", "readings", "gaps", "channel_bindings", "point_versions"):
        lab.execute(f"DELETE FROM {table}")
    for table in ("points", "declarations", "settings_reported", "settings_revisions", "control_status"):
        lab.execute(f"DELETE FROM {table}")
    ((id_,),) = lab.execute("SELECT id FROM gateways WHERE name = %s", NAME)
    declared = PointDeclaration(name=POINT, quantity="temperature", exponent=-2, period_ms=1000)
    body = encode_body(Points(gateway=NAME, points=[declared], layouts=[]))
    lab.execute("INSERT INTO declarations VALUES (%s, 1, %s)", id_, body)
    text = to_toml({"device": [DEVICE], "interlock": [RULE]})
    lab.execute(
        "INSERT INTO settings_revisions VALUES (1, %s, 1, %s, sha256('x'), 'gateway', 'g', 'r', %s, 0)",
        *(id_, text, START),
    )
    lab.execute(
        "INSERT INTO settings_reported VALUES (1, %s, 0, 0, 'file', '[]', 0, 0, sha256('x'), 1, %s, %s)",
        *(id_, START, START),
    )
    return int(id_)


def run(lab: Any, ask: Callable[[Connection], Awaitable[T]]) -> T:
    """Run in a transaction."""

    async def whole(connection: Connection) -> T:
        async with connection.transaction():
            return await ask(connection)

    found: T = lab.run(whole)
    return found


def hear(lab: Any, at: datetime) -> None:
    """Have the gateway say that it runs the rule of the settings."""

    async def heard(connection: Connection) -> None:
        found = await interlock_acts.provable(connection, NAME, "climate", at=at)
        owner = await shadow.owner(connection, NAME, at)
        assert owner is not None
        now = InterlockNow(name="climate", rule=found.fingerprint, phase="healthy", breach=0)
        said = status(now, tick=int(at.timestamp()))
        await control_status.keep(connection, owner, said, received_at=at, heard_at=at)

    run(lab, heard)


def tell(lab: Any, gateway: int, kind: str, causes: str, at: datetime, *, reason: str = "beyond") -> None:
    lab.execute(
        "INSERT INTO events (organisation_id, gateway_id, site_id, observed_at, stored_at, kind, subject,"
        " data) VALUES (1, %s, 1, %s, %s, %s, 'climate',"
        " jsonb_build_object('causes', %s::text, 'reason', %s::text))",
        *(gateway, at, at, kind, causes, reason),
    )


def step(lab: Any, viewer: Viewer, at: datetime, *, passed: bool = True) -> Any:
    return run(
        lab, lambda c: interlock_acts.record(Act(c, viewer, at), NAME, "climate", passed=passed, note="seen")
    )


def test_proof_test_goes_through_every_step_and_makes_the_interlock_proved(
    lab: Any, people: Any, gateway: int
) -> None:
    hear(lab, NOW)
    run(lab, lambda c: interlock_acts.begin(Act(c, people["li"], NOW), NAME, "climate"))
    tell(lab, gateway, "interlock_voted", "hot", NOW + timedelta(seconds=5))
    assert step(lab, people["li"], NOW + timedelta(seconds=10)).results[-1].passed
    assert step(lab, people["li"], NOW + timedelta(seconds=20)).results[-1].passed
    tell(lab, gateway, "interlock_enabled", "", NOW + timedelta(seconds=25))
    ended = step(lab, people["li"], NOW + timedelta(seconds=30))
    assert (ended.passed, ended.step) == (True, None)

    async def due(connection: Connection) -> Any:
        found = await interlock_acts.provable(connection, NAME, "climate", at=NOW)
        runs = await proofs.list_proofs(connection, gateway, "climate")
        later = NOW + timedelta(days=400)
        return [interlock_acts.due(found, runs, at).state for at in (NOW + timedelta(days=1), later)]

    assert run(lab, due) == [ProofState.IN_DATE, ProofState.OVERDUE]


@pytest.mark.parametrize("reason", ["stale", "lost", "off_scale", "no_uncertainty", "", "of another version"])
def test_step_of_a_limit_does_not_pass_by_a_vote_for_another_reason(
    lab: Any, people: Any, gateway: int, reason: str
) -> None:
    hear(lab, NOW)
    run(lab, lambda c: interlock_acts.begin(Act(c, people["li"], NOW), NAME, "climate"))
    tell(lab, gateway, "interlock_voted", "hot", NOW + timedelta(seconds=5), reason=reason)
    result = step(lab, people["li"], NOW + timedelta(seconds=10)).results[-1]
    assert (result.passed, result.seen) == (False, False)


def test_step_does_not_pass_where_the_interlock_saw_nothing_since_it_began(
    lab: Any, people: Any, gateway: int
) -> None:
    tell(lab, gateway, "interlock_voted", "hot", NOW - timedelta(minutes=1))
    hear(lab, NOW)
    run(lab, lambda c: interlock_acts.begin(Act(c, people["li"], NOW), NAME, "climate"))
    tell(lab, gateway, "interlock_voted", "hotter", NOW + timedelta(seconds=5))
    result = step(lab, people["li"], NOW + timedelta(seconds=10)).results[-1]
    assert (result.passed, result.seen) == (False, False)


def test_proof_test_is_begun_once_by_who_may_and_of_the_rule_that_runs(lab: Any, people: Any) -> None:
    def begin(viewer: Viewer, at: datetime = NOW) -> int:
        return run(lab, lambda c: interlock_acts.begin(Act(c, viewer, at), NAME, "climate"))

    with pytest.raises(ActError, match="as the settings here have it"):
        begin(people["li"])
    hear(lab, NOW)
    reader = Viewer(
        kind="account",
        login="x",
        origin=people["li"].origin,
        rights=Rights(frozenset({Grant(Role.VIEWER, 1)})),
    )
    with pytest.raises(ForbiddenError):
        begin(reader)
    begin(people["li"])
    with pytest.raises(ActError, match="not under way"):
        begin(people["li"])
    run(lab, lambda c: interlock_acts.abandon(Act(c, people["li"], NOW), NAME, "climate"))
    begin(people["li"])


# --- rehearsal ----------------------------------------------------------------------------------------


def measure(lab: Any, gateway: int, counts: dict[int, int], *, seconds: int = 120) -> None:
    """Store 21 °C every second, but for some seconds."""
    ((point,),) = lab.execute(
        "INSERT INTO points (organisation_id, site_id, name, quantity, kind)"
        " VALUES (1, 1, %s, 'temperature', 'analog') RETURNING id",
        POINT,
    )
    lab.execute(
        "INSERT INTO point_versions (organisation_id, point_id, exponent, period_ms)"
        " VALUES (1, %s, -2, 1000)",
        point,
    )
    lab.execute(
        "INSERT INTO channel_bindings (organisation_id, gateway_id, channel, point_id)"
        " VALUES (1, %s, %s, %s)",
        *(gateway, POINT, point),
    )
    rows = [(START + timedelta(seconds=n), counts.get(n, 2100), 0) for n in range(seconds)]
    lab.store(point, [row for row in rows if row[1] != 0])


def rehearse(lab: Any, text: str = "", *, hours: float = 0.05) -> Rehearsal:
    asked = Asked(NAME, "climate", START, START + timedelta(hours=hours), text)

    async def whole(_: Connection) -> Rehearsal:
        async with AsyncConnectionPool(lab.hub_dsn, min_size=1, max_size=2, open=False) as pool:
            async with snapshot(pool) as connection:
                ready = await interlock_rehearsal.prepare(connection, asked)
            came = [one async for one in interlock_rehearsal.rehearsal(pool, ready)]
        assert came[0] == 0.0
        assert isinstance(came[-1], Rehearsal)
        return came[-1]

    found = lab.run(whole)
    assert isinstance(found, Rehearsal)
    return found


def seconds(tick: int) -> float:
    return (tick / 100) - START.timestamp()


def test_rehearsal_says_when_the_rule_would_have_tripped(lab: Any, gateway: int) -> None:
    measure(lab, gateway, dict.fromkeys(range(30, 40), 2450))
    found = rehearse(lab)
    (hot, silent) = found.trips
    assert (seconds(hot.at), seconds(hot.until or 0), hot.first_out) == (30, 45, ("hot",))
    assert 119 < seconds(silent.at) <= 123


def test_rule_as_edited_is_rehearsed_before_it_is_enabled(lab: Any, gateway: int) -> None:
    measure(lab, gateway, dict.fromkeys(range(30, 40), 2450))
    wider = {**RULE, "group": [{"name": "air", "cause": [{**RULE["group"][0]["cause"][0], "high": "25"}]}]}
    found = rehearse(lab, to_toml({"interlock": [wider]}))
    assert [seconds(one.at) > 100 for one in found.trips] == [True]


@pytest.mark.parametrize(
    ("text", "hours", "words"),
    [
        ("", 24 * 93, "at most 92 days"),
        ("[[interlock]", 1, "expected TOML"),
        ("[[interlock]]\nname = 'x'", 1, "group"),
        (to_toml({"interlock": [RULE]}).replace("room-2", "room-9"), 1, "no point is called room-9"),
    ],
)
def test_rehearsal_that_cannot_be_gets_one_clear_error(
    lab: Any, gateway: int, text: str, hours: float, words: str
) -> None:
    with pytest.raises(RehearsalError, match=words.replace("[", r"\[")):
        rehearse(lab, text, hours=hours)


def test_stretch_with_another_resolution_is_not_rehearsed(lab: Any, gateway: int) -> None:
    measure(lab, gateway, {})
    lab.execute("UPDATE point_versions SET exponent = -3")
    with pytest.raises(RehearsalError, match="another resolution"):
        rehearse(lab)
