"""The API of cameras on real tables, with the real media room behind it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx
import pytest
from psycopg_pool import AsyncConnectionPool

from cloud.api.app import create_app
from cloud.api.services import Services
from cloud.store.connection import StoreConnection

pytestmark = pytest.mark.slow
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4 + b"\xff\xd9"
DIGEST = hashlib.sha256(JPEG).hexdigest()
CAMERA = "weighing/camera"


class Lab(Protocol):
    hub_dsn: str

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]: ...


def at(**ago: float) -> datetime:
    return NOW - timedelta(**ago)


@pytest.fixture
def camera_id(lab: Lab, camera: str) -> int:
    """The camera without any past."""
    ((point,),) = lab.execute("SELECT id FROM points WHERE name = %s", f"{camera}/recorded")
    ((state,),) = lab.execute("SELECT id FROM points WHERE name = %s", f"{camera}/picture")
    for table in ("readings", "gaps", "latest", "point_versions"):
        lab.execute(f"DELETE FROM {table} WHERE point_id IN (%s, %s)", point, state)
    lab.execute("DELETE FROM events")
    lab.execute("DELETE FROM media")
    lab.execute("DELETE FROM media_wishes")
    lab.execute(
        "INSERT INTO point_versions (organisation_id, point_id, exponent, period_ms)"
        " VALUES (1, %s, -3, 10000), (1, %s, 0, 10000)",
        point,
        state,
    )
    return int(point)


def beat(lab: Lab, camera_id: int, when: datetime, *, seconds: float = 10, frozen: bool = False) -> None:
    """A heartbeat, as the gateway tells it."""
    ((state,),) = lab.execute("SELECT id FROM points WHERE name = %s", f"{CAMERA}/picture")
    for point, raw in ((camera_id, int(seconds * 1000)), (state, 2 if frozen else 1)):
        lab.execute("INSERT INTO readings VALUES (%s, %s, %s, 1, 0)", when, raw, point)
        lab.execute(
            "INSERT INTO latest AS l VALUES (%s, 1, %s, %s, 0) ON CONFLICT (point_id) DO UPDATE"
            " SET observed_at = excluded.observed_at, raw = excluded.raw"
            " WHERE excluded.observed_at > l.observed_at",
            point,
            when,
            raw,
        )


def gap(lab: Lab, camera_id: int, start: datetime | None, end: datetime | None, cause: str = "bus") -> None:
    lab.execute(
        "INSERT INTO gaps (organisation_id, point_id, gateway_id, key, cause, reason, from_at, to_at)"
        " VALUES (1, %s, 1, gen_random_uuid()::text, %s, 'no new frame for 10 s', %s, %s)",
        camera_id,
        cause,
        start,
        end,
    )


def event(lab: Lab, kind: str, when: datetime, data: str = "{}") -> None:
    lab.execute(
        "INSERT INTO events (organisation_id, gateway_id, site_id, observed_at, kind, subject, data)"
        " VALUES (1, 1, 1, %s, %s, %s, %s)",
        when,
        kind,
        CAMERA,
        data,
    )


@asynccontextmanager
async def asking(lab: Lab, room: Any = None) -> AsyncIterator[httpx.AsyncClient]:
    kwargs = {"autocommit": True}
    async with AsyncConnectionPool(
        lab.hub_dsn, connection_class=StoreConnection, min_size=1, max_size=3, open=False, kwargs=kwargs
    ) as pool:
        given = Services(pool=pool, now=lambda: NOW, broker_connected=lambda: True, media=room)
        transport = httpx.ASGITransport(create_app(given))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            yield client


def get(lab: Lab, path: str, **query: str) -> httpx.Response:
    async def scenario() -> httpx.Response:
        async with asking(lab) as client:
            return await client.get(path, params=query)

    return asyncio.run(scenario())


def now_of(lab: Lab) -> dict[str, Any]:
    body = get(lab, "/api/cameras").json()
    assert body["next"] is None
    (one,) = body["items"]
    assert isinstance(one, dict)
    return one


@pytest.mark.requirement("G-6.9c1")
def test_camera_says_what_it_does_and_since_when(lab: Lab, camera_id: int) -> None:
    never = now_of(lab)
    assert (never["id"], never["prefix"], never["gateway"], never["site"]) == (
        camera_id,
        CAMERA,
        "gateway-1",
        "lab-1",
    )
    assert (never["state"], never["since_at"], never["heartbeat_at"]) == ("silent", None, None)
    gap(lab, camera_id, at(minutes=9), at(minutes=6))
    beat(lab, camera_id, at(seconds=5))
    recording = now_of(lab)
    assert (recording["state"], recording["since_at"]) == ("recording", "2026-03-01T11:54:00Z")
    assert (recording["heartbeat_at"], recording["heartbeat_s"]) == ("2026-03-01T11:59:55Z", 10.0)
    assert recording["live"] is False
    beat(lab, camera_id, at(seconds=4), frozen=True)
    event(lab, "camera_frozen", at(seconds=40))
    frozen = now_of(lab)
    assert (frozen["state"], frozen["since_at"]) == ("frozen", "2026-03-01T11:59:20Z")
    gap(lab, camera_id, at(seconds=3), None)
    silent = now_of(lab)
    assert (silent["state"], silent["since_at"]) == ("silent", "2026-03-01T11:59:57Z")
    assert (silent["cause"], silent["reason"]) == ("bus", "no new frame for 10 s")
    assert get(lab, f"/api/cameras/{camera_id}").json() == silent
    assert get(lab, "/api/cameras/999999").status_code == 404


@pytest.mark.requirement("G-6.9c1")
def test_timeline_has_no_hole_and_calls_nothing_recorded_that_was_not(lab: Lab, camera_id: int) -> None:
    for second in range(0, 300, 10):
        beat(lab, camera_id, at(minutes=50) + timedelta(seconds=second))
    gap(lab, camera_id, at(minutes=45, seconds=10), at(minutes=40))
    for second in range(0, 100, 10):
        beat(lab, camera_id, at(minutes=30) + timedelta(seconds=second))
    body = get(
        lab,
        f"/api/cameras/{camera_id}/timeline",
        **{"from": "2026-03-01T11:00:00Z", "to": "2026-03-01T13:00:00Z"},
    ).json()
    assert body["to_at"] == "2026-03-01T12:00:00Z"
    spans = [(one["state"], one["from_at"][11:19], one["to_at"][11:19]) for one in body["spans"]]
    assert spans == [
        ("unknown", "11:00:00", "11:09:50"),
        ("recorded", "11:09:50", "11:14:50"),
        ("gap", "11:14:50", "11:20:00"),
        ("unknown", "11:20:00", "11:29:50"),
        ("recorded", "11:29:50", "11:31:30"),
        ("unknown", "11:31:30", "12:00:00"),
    ]
    assert body["spans"][2]["cause"] == "bus"
    beat(lab, camera_id, at(seconds=5), seconds=5)
    body = get(lab, f"/api/cameras/{camera_id}/timeline", **{"from": "2026-03-01T11:59:50Z"}).json()
    assert [(one["state"], one["from_at"][17:19]) for one in body["spans"]] == [
        ("recorded", "50"),
        ("awaited", "55"),
    ]
    week = {"from": "2026-02-01T00:00:00Z", "to": "2026-02-09T00:00:00Z"}
    assert get(lab, f"/api/cameras/{camera_id}/timeline", **week).status_code == 422


@pytest.mark.requirement("G-6.9c1")
def test_pictures_are_told_with_what_is_here_and_what_is_in_evidence(
    lab: Lab, hub: Any, far: Any, camera_id: int
) -> None:
    stored = f'{{"kind": "before", "reason": "door_opened", "sha256": "{DIGEST}", "bytes": {len(JPEG)}}}'
    event(lab, "picture", at(minutes=5), stored)
    event(lab, "picture", at(minutes=4), f'{{"kind": "after", "reason": "x", "sha256": "{"0" * 64}"}}')
    event(lab, "picture_missing", at(minutes=3), '{"kind": "after", "reason": "x", "why": "no frame"}')
    alone = JPEG + b"2"

    async def scenario() -> tuple[dict[str, Any], httpx.Response, httpx.Response]:
        async with hub() as here, asking(lab, here.room) as client:
            there = far(here)
            assert (await there.put(JPEG))[0] == 201
            assert (await there.put(alone, from_ms=int(at(minutes=2).timestamp() * 1000)))[0] == 201
            there.link.close()
            path = f"/api/cameras/{camera_id}/timeline"
            body = (await client.get(path, params={"from": at(hours=1).isoformat()})).json()
            return body, await client.get(f"/api/media/{DIGEST}"), await client.get(f"/api/media/{'1' * 64}")

    body, file, nothing = asyncio.run(scenario())
    assert [(one["state"], one["moment"], one["reason"]) for one in body["pictures"]] == [
        ("stored", "before", "door_opened"),
        ("awaited", "after", "x"),
        ("missing", "after", "no frame"),
        ("without_event", "timer", "door \u95e8"),
    ]
    assert [one["event_id"] is None for one in body["pictures"]] == [False, False, False, True]
    assert not body["pictures_more"]
    assert (file.status_code, file.headers["content-type"], file.content) == (200, "image/jpeg", JPEG)
    assert file.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in file.headers["content-security-policy"]
    assert (nothing.status_code, nothing.headers["content-type"]) == (404, "application/problem+json")


def test_picture_that_its_gateway_dropped_says_so_and_of_many_the_newest_are_told(
    lab: Lab, camera_id: int
) -> None:
    event(lab, "picture", at(minutes=5), f'{{"kind": "timer", "sha256": "{"a" * 64}"}}')
    event(lab, "picture", at(minutes=4), f'{{"kind": "timer", "sha256": "{"b" * 64}"}}')
    event(lab, "picture_dropped", at(minutes=3), f'{{"sha256": "{"a" * 64}"}}')
    path = f"/api/cameras/{camera_id}/timeline"
    shown = get(lab, path, **{"from": at(hours=1).isoformat()}).json()["pictures"]
    assert [(one["state"], one["sha256"][0]) for one in shown] == [("dropped", "a"), ("awaited", "b")]
    lab.execute(
        "INSERT INTO events (organisation_id, gateway_id, site_id, observed_at, kind, subject, data)"
        " SELECT 1, 1, 1, %s + n * interval '1 ms', 'picture', %s, '{}' FROM generate_series(1, 1000) n",
        at(minutes=2),
        CAMERA,
    )
    body = get(lab, path, **{"from": at(hours=1).isoformat()}).json()
    assert (len(body["pictures"]), body["pictures_more"]) == (1000, True)
    assert [body["pictures"][n]["at"][17:23] for n in (0, -1)] == ["00.001", "01Z"]


def test_file_that_was_deleted_says_so(lab: Lab, hub: Any, far: Any, camera_id: int) -> None:
    async def scenario() -> None:
        async with hub(keep_days=1) as here, asking(lab, here.room) as client:
            there = far(here)
            assert (await there.put(JPEG, from_ms=int(at(days=2).timestamp() * 1000)))[0] == 201
            await here.room.let_go()
            answer = await client.get(f"/api/media/{DIGEST}")
            assert answer.status_code == 410
            assert "older than 1 days" in answer.json()["detail"]
            there.link.close()

    asyncio.run(scenario())


@pytest.mark.requirement("G-6.9c1")
def test_stretch_is_asked_for_once_and_within_bounds(lab: Lab, hub: Any, camera_id: int) -> None:
    async def scenario() -> None:
        async with hub() as here, asking(lab, here.room) as client:
            path = f"/api/cameras/{camera_id}/recordings/wanted"
            stretch = {"from": at(minutes=10).isoformat(), "to": at(minutes=5).isoformat()}
            first = await client.post(path, json=stretch)
            assert (first.status_code, first.json()["state"]) == (202, "waiting")
            assert (await client.post(path, json=stretch)).json()["id"] == first.json()["id"]
            noted = lab.execute("SELECT object FROM audit_log WHERE action = 'recording.want'")
            assert noted == [("camera weighing/camera of gateway-1",)]
            timeline = (await client.get(f"/api/cameras/{camera_id}/timeline")).json()
            assert [one["id"] for one in timeline["wishes"]] == [first.json()["id"]]
            for wrong in (
                {"from": at(minutes=20).isoformat(), "to": at(minutes=5).isoformat()},
                {"from": at(minutes=5).isoformat(), "to": at(minutes=5).isoformat()},
                {"from": at(minutes=1).isoformat(), "to": at(minutes=-1).isoformat()},
                {"from": "yesterday", "to": at(minutes=5).isoformat()},
                {},
            ):
                answer = await client.post(path, json=wrong)
                assert answer.status_code == 422, answer.text
                assert answer.headers["content-type"] == "application/problem+json"
            missing = await client.post("/api/cameras/999999/recordings/wanted", json=stretch)
            assert missing.status_code == 404
            form = await client.post(
                path, content=first.request.content, headers={"content-type": "text/plain"}
            )
            assert form.status_code in (415, 422)
            foreign = await client.post(path, json=stretch, headers={"origin": "http://elsewhere"})
            assert foreign.status_code == 403
            lab.execute(
                "INSERT INTO media_wishes (organisation_id, gateway_id, camera, from_at, to_at, asked_at)"
                " SELECT 1, 1, 'c', now() - n * interval '1 day', now(), now() FROM generate_series(1, 99) n"
            )
            stretch["from"] = at(minutes=9).isoformat()
            assert (await client.post(path, json=stretch)).status_code == 409

    asyncio.run(scenario())


def test_live_view_without_a_gateway_says_so_at_once(lab: Lab, hub: Any, camera_id: int) -> None:
    async def scenario() -> None:
        async with asking(lab) as client:
            answer = await client.get(f"/api/cameras/{camera_id}/live")
            assert (answer.status_code, "HENG_MEDIA_PORT" in answer.json()["detail"]) == (503, True)
        async with hub() as here, asking(lab, here.room) as client:
            answer = await client.get(f"/api/cameras/{camera_id}/live")
            assert (answer.status_code, "not connected" in answer.json()["detail"]) == (503, True)
            assert (await client.get("/api/cameras/999999/live")).status_code == 404

    asyncio.run(scenario())
