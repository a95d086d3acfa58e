"""What a gateway declares after its settings changed: nothing that was due is forgotten, nothing invented."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from cloud.store import declare, directory
from cloud.store.completeness import Completeness, read_completeness
from cloud.store.declare import DeclarationError
from cloud.store.directory import GatewayRow
from cloud.store.latest import list_latest
from cloud.store.points import get_point
from wire.layouts import make_layout
from wire.messages import Layout, PointDeclaration, Poll

if TYPE_CHECKING:
    from tests.cloud.ingest.conftest import Laboratory

P = "again/air/temperature"
Play = Callable[[Callable[["Laboratory"], Any]], Any]
pytestmark = pytest.mark.requirement("G-3.6")


def point(name: str = P, period_ms: int | None = 1000, quantity: str = "temperature") -> PointDeclaration:
    return PointDeclaration(name=name, quantity=quantity, exponent=-2, period_ms=period_ms)


async def told(
    lab: "Laboratory",
    *points: PointDeclaration,
    gateway: GatewayRow | None = None,
    retired: tuple[PointDeclaration, ...] = (),
    layouts: tuple[Layout, ...] = (),
    since: datetime | None = None,
) -> None:
    """As `cloud.ingest.control` does with a message."""
    gateway = gateway or lab.gateway
    async with lab.connection.transaction():
        await directory.change(lab.connection)
        await declare.add_layouts(lab.connection, gateway, layouts)
        await declare.add_retired(lab.connection, gateway, retired)
        since_ms = None if since is None else int(since.timestamp() * 1000)
        await declare.add_points(lab.connection, gateway, points, since_ms=since_ms)


async def point_id(lab: "Laboratory") -> int:
    rows = await lab.rows("SELECT id FROM points WHERE name = %s AND site_id = %s", P, lab.site_id)
    return int(rows[0][0])


async def periods(lab: "Laboratory") -> list[int | None]:
    number = await point_id(lab)
    rows = await lab.rows(
        "SELECT period_ms FROM point_versions WHERE point_id = %s ORDER BY lower(valid) NULLS FIRST", number
    )
    return [row[0] for row in rows]


async def account(lab: "Laboratory") -> Completeness:
    number = await point_id(lab)
    found = await get_point(lab.connection, number)
    assert found
    ((first, last),) = await lab.rows(
        "SELECT min(observed_at), max(observed_at) FROM readings WHERE point_id = %s", number
    )
    until = last + timedelta(milliseconds=1)
    return await read_completeness(lab.connection, found, first, until, now=datetime(2100, 1, 1, tzinfo=UTC))


def test_point_that_moved_to_another_gateway_keeps_its_period(in_laboratory: Play) -> None:
    async def scene(lab: "Laboratory") -> None:
        await told(lab, point())
        organisation, name = lab.gateway.organisation_id, f"b-{secrets.token_hex(3)}"
        ((number,),) = await lab.rows(
            "INSERT INTO gateways (organisation_id, name) VALUES (%s, %s) RETURNING id", organisation, name
        )
        await lab.connection.execute(
            "INSERT INTO gateway_bindings (organisation_id, gateway_id, site_id, valid)"
            " VALUES (%s, %s, %s, tstzrange(NULL, NULL))",
            (organisation, number, lab.site_id),
        )
        await told(lab, point(), gateway=GatewayRow(number, organisation, name))
        await told(lab, point("again/other"), retired=(point(),))
        assert await periods(lab) == [1000]

    in_laboratory(scene)


def test_point_that_is_no_longer_fed_turns_silent_and_never_good(in_laboratory: Play) -> None:
    async def scene(lab: "Laboratory") -> None:
        layout = make_layout([P], [-2])
        await told(lab, point(), layouts=(layout,))
        await lab.store(lab.chain().seal(polls=[Poll(layout.id, tick * 100, [2150]) for tick in range(10)]))
        await told(lab, point("again/other"), retired=(point(),))
        ((newest,),) = await lab.rows("SELECT max(observed_at) FROM readings")
        found = await list_latest(lab.connection, now=newest + timedelta(days=365), site_id=lab.site_id)
        assert [one.state for one in found if one.point.name == P] == ["silent"]

    in_laboratory(scene)


@pytest.mark.parametrize(("before_ms", "after_ms"), [(1000, 200), (200, 1000)])
def test_backlog_is_judged_by_the_period_that_held_when_it_was_read(
    in_laboratory: Play, before_ms: int, after_ms: int
) -> None:
    async def scene(lab: "Laboratory") -> None:
        layout = make_layout([P], [-2])
        await told(lab, point(period_ms=before_ms), layouts=(layout,))
        chain = lab.chain()
        early = [Poll(layout.id, number * before_ms // 10, [1]) for number in range(1000)]
        await lab.store(chain.seal(polls=early[:10]))
        ((newest,),) = await lab.rows("SELECT max(observed_at) FROM readings")
        changed = newest + timedelta(milliseconds=991 * before_ms - 10)
        await told(lab, point(period_ms=after_ms), layouts=(layout,), since=changed)
        start = early[-1].tick + before_ms // 10
        late = [Poll(layout.id, start + number * after_ms // 10, [1]) for number in range(50)]
        await lab.store(chain.seal(polls=early[10:]), chain.seal(polls=late))
        assert await periods(lab) == [before_ms, after_ms]
        found = await account(lab)
        assert (found.stored, found.unexplained) == (1050, 0)

    in_laboratory(scene)


def test_wrong_declaration_can_be_mended(in_laboratory: Play) -> None:
    async def scene(lab: "Laboratory") -> None:
        await told(lab, point())
        with pytest.raises(DeclarationError):
            await told(lab, point(quantity="relative_humidity"))
        mended = point("again/air/humidity", quantity="relative_humidity")
        await told(lab, mended, retired=(point(quantity="relative_humidity"),))

    in_laboratory(scene)


def test_backlog_of_a_point_that_was_never_declared_is_placed(in_laboratory: Play) -> None:
    async def scene(lab: "Laboratory") -> None:
        layout = make_layout([P], [-2])
        await lab.store(lab.chain().seal(polls=[Poll(layout.id, tick * 100, [2150]) for tick in range(10)]))
        await told(lab, point("again/other"), retired=(point(),), layouts=(layout,))
        await lab.place_quarantined()
        assert (await account(lab)).stored == 10

    in_laboratory(scene)
