"""Two cameras of a site of their own: a past with a gap, pictures of every kind, files; a live gateway.

The gateway's channel is the real one, with a source that shows two pictures in turn.
"""

import hashlib
import json
from base64 import b64decode
from datetime import datetime, timedelta
from itertools import cycle
from pathlib import Path

from psycopg import AsyncConnection

from provisioning.identity import GatewayIdentity
from tests.live_camera import LiveCamera

GREY = b64decode(
    "/9j/4AAQSkZJRgABAgAAAQABAAD/2wBDAAg+Pkk+SVVVVVVVVWRdZGhoaGRkZGRoaGhwcHCDg4NwcHBoaHBwfHyDg4+Tj4eH"
    "g4eTk5ubm7q6srLZ2eD/////xABKAAEAAAAAAAAAAAAAAAAAAAAAAQEAAAAAAAAAAAAAAAAAAAAAEAEAAAAAAAAAAAAAAAAA"
    "AAAAEQEAAAAAAAAAAAAAAAAAAAAA/8AAEQgAEgAgAwEiAAIRAAMRAP/aAAwDAQACEQMRAD8AAAAAAAAA/9k="
)
WHITE = b64decode(
    "/9j/4AAQSkZJRgABAgAAAQABAAD/2wBDAAg+Pkk+SVVVVVVVVWRdZGhoaGRkZGRoaGhwcHCDg4NwcHBoaHBwfHyDg4+Tj4eH"
    "g4eTk5ubm7q6srLZ2eD/////xABLAAEBAAAAAAAAAAAAAAAAAAAABwEBAAAAAAAAAAAAAAAAAAAAABABAAAAAAAAAAAAAAAA"
    "AAAAABEBAAAAAAAAAAAAAAAAAAAAAP/AABEIABIAIAMBIgACEQADEQD/2gAMAwEAAhEDEQA/AL+AAAAAAAD/2Q=="
)
SITE = "yard-1"
GATEWAY = "yard-1"
CAMERA = "yard/camera"
SILENT = "yard/gate"
BEAT = timedelta(minutes=10)
PERIOD_MS = 1_800_000
SEGMENT = b"G" + bytes(187)
"""A part of a recording that no program can read."""


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def film(owner_dsn: str, now: datetime, *, identity: GatewayIdentity, folder: Path) -> None:
    """Add the site with its cameras and their past before `now`; the files go into the hub's `folder`."""
    async with await AsyncConnection.connect(owner_dsn, autocommit=True) as connection:
        await _site(connection, identity)
        recorded = await _camera(connection, CAMERA)
        await _camera(connection, SILENT)
        for minutes in (*range(120, 59, -10), 20, 10, 0):
            await _beat(connection, recorded, now - timedelta(minutes=minutes))
        await connection.execute(
            "INSERT INTO gaps (organisation_id, point_id, gateway_id, key, cause, reason, from_at, to_at)"
            " SELECT 1, %s, id, 'dark', 'bus', 'no answer', %s, %s FROM gateways WHERE name = %s",
            (recorded, now - timedelta(minutes=60), now - timedelta(minutes=30), GATEWAY),
        )
        await _pictures(connection, now, identity)
        await _recordings(connection, now, identity)
    for data in (GREY, SEGMENT):
        file = folder / sha256(data)[:2] / sha256(data)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


async def _site(connection: AsyncConnection, identity: GatewayIdentity) -> None:
    await connection.execute(
        "INSERT INTO sites (organisation_id, name, title, kind) VALUES (1, %s, '院子 Yard', 'laboratory')",
        (SITE,),
    )
    await connection.execute(
        "INSERT INTO gateways (organisation_id, name, online, online_since, last_batch_at)"
        " VALUES (1, %s, true, now(), now())",
        (GATEWAY,),
    )
    await connection.execute(
        "INSERT INTO gateway_bindings (organisation_id, gateway_id, site_id)"
        " SELECT 1, g.id, s.id FROM gateways g, sites s WHERE g.name = %s AND s.name = %s",
        (GATEWAY, SITE),
    )
    await connection.execute(
        "INSERT INTO gateway_keys (key_id, organisation_id, gateway_id, public_key, certificate_pem, proof)"
        " SELECT %s, 1, id, %s, '', '' FROM gateways WHERE name = %s",
        (identity.signer.key_id, identity.signer.public_key, GATEWAY),
    )
    await connection.execute(
        "INSERT INTO zones (organisation_id, site_id, name, title, kind, covers, cameras, readers)"
        " SELECT 1, id, 'yard', '前院 Front yard', 'room', '{yard}', %s, '{door/yard}'"
        " FROM sites WHERE name = %s",
        ([CAMERA], SITE),
    )


async def _camera(connection: AsyncConnection, prefix: str) -> int:
    """Declare a camera; return its id."""
    ids = {}
    for name, quantity, kind in (
        ("frame_rate", "frequency", "analog"),
        ("recorded", "duration", "analog"),
        ("picture", "state", "state"),
    ):
        row = await (
            await connection.execute(
                "INSERT INTO points (organisation_id, site_id, name, quantity, kind)"
                " SELECT 1, id, %s, %s, %s FROM sites WHERE name = %s RETURNING id",
                (f"{prefix}/{name}", quantity, kind, SITE),
            )
        ).fetchone()
        ids[name] = row[0]
        await connection.execute(
            "INSERT INTO point_versions (organisation_id, point_id, exponent, period_ms)"
            " VALUES (1, %s, -3, %s)",
            (row[0], PERIOD_MS),
        )
        await connection.execute(
            "INSERT INTO channel_bindings (organisation_id, gateway_id, channel, point_id)"
            " SELECT 1, id, %s, %s FROM gateways WHERE name = %s",
            (f"{prefix}/{name}", row[0], GATEWAY),
        )
    channels = [f"{prefix}/{name}" for name in ids]
    await connection.execute(
        "INSERT INTO devices (organisation_id, gateway_id, name, driver, channels)"
        " SELECT 1, id, %s, 'camera', %s FROM gateways WHERE name = %s",
        (prefix.rpartition("/")[2], channels, GATEWAY),
    )
    return int(ids["recorded"])


async def _beat(connection: AsyncConnection, point: int, at: datetime) -> None:
    recorded_ms = BEAT // timedelta(milliseconds=1)
    await connection.execute("INSERT INTO readings VALUES (%s, %s, %s, 1, 0)", (at, recorded_ms, point))
    await connection.execute(
        "INSERT INTO latest VALUES (%s, 1, %s, %s, 0) ON CONFLICT (point_id) DO UPDATE"
        " SET observed_at = excluded.observed_at",
        (point, at, recorded_ms),
    )


async def _pictures(connection: AsyncConnection, now: datetime, identity: GatewayIdentity) -> None:
    for minutes, kind, data in (
        (15, "picture", {"kind": "before", "reason": "door_opened door/yard", "sha256": sha256(GREY)}),
        (14, "picture", {"kind": "after", "reason": "door_opened door/yard", "sha256": "a" * 64}),
        (13, "picture", {"kind": "timer", "reason": "", "sha256": "d" * 64}),
        (12, "picture_missing", {"kind": "after", "reason": "tampered", "why": "no frame within a second"}),
        (11, "picture_dropped", {"sha256": "d" * 64}),
    ):
        await connection.execute(
            "INSERT INTO events (organisation_id, gateway_id, site_id, observed_at, kind, subject, data)"
            " SELECT 1, g.id, s.id, %s, %s, %s, %s::jsonb FROM gateways g, sites s"
            " WHERE g.name = %s AND s.name = %s",
            (now - timedelta(minutes=minutes), kind, CAMERA, json.dumps(data), GATEWAY, SITE),
        )
    await _file(connection, identity, GREY, content_type="image/jpeg", start=now - timedelta(minutes=15))


async def _recordings(connection: AsyncConnection, now: datetime, identity: GatewayIdentity) -> None:
    start = now - timedelta(minutes=18)
    end = start + timedelta(seconds=10)
    await _file(connection, identity, SEGMENT, content_type="video/mp2t", start=start, end=end)
    for ago, state, why in ((18, "done", ""), (90, "none", ""), (100, "failed", "the disk: full")):
        begin = now - timedelta(minutes=ago)
        await connection.execute(
            "INSERT INTO media_wishes (organisation_id, gateway_id, camera, from_at, to_at, asked_at,"
            " told_at, state, why, segments, answered_at)"
            " SELECT 1, id, %s, %s, %s, %s, %s, %s, %s, %s, %s FROM gateways WHERE name = %s",
            (
                CAMERA,
                begin,
                begin + timedelta(seconds=10),
                now,
                now,
                state,
                why,
                int(state == "done"),
                now,
                GATEWAY,
            ),
        )


async def _file(
    connection: AsyncConnection,
    identity: GatewayIdentity,
    data: bytes,
    *,
    content_type: str,
    start: datetime,
    end: datetime | None = None,
) -> None:
    kind = "picture" if end is None else "segment"
    await connection.execute(
        "INSERT INTO media (organisation_id, gateway_id, site_id, camera, device, kind, sha256, bytes,"
        " content_type, moment, reason, from_at, to_at, description, key_id, signature, received_at)"
        " SELECT 1, g.id, s.id, %s, 'camera', %s, %s, %s, %s, '', '', %s, %s, '', %s, '', now()"
        " FROM gateways g, sites s WHERE g.name = %s AND s.name = %s",
        (
            *(CAMERA, kind, bytes.fromhex(sha256(data)), len(data), content_type, start, end),
            *(identity.signer.key_id, GATEWAY, SITE),
        ),
    )


class Blinking(LiveCamera):
    """A camera that shows grey and white in turn."""

    def __init__(self) -> None:
        super().__init__("camera", CAMERA, frames=cycle((GREY, WHITE)), every_s=0.1)
