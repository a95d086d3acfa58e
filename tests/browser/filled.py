"""A hub's database with a day of two laboratories, a mobile laboratory and a vehicle, for the pages.

Readings are made in SQL (sines with small noise from a fixed seed), so that the same run gives the same
picture. Times are relative to `now`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from cloud.store.migrate import upgrade
from cloud.store.rollups import roll_up

PERIOD_MS = 10_000
DAY = timedelta(hours=24)


@dataclass(frozen=True)
class Measured:
    """One point and its curve: middle and swing are counts."""

    name: str
    quantity: str
    exponent: int
    middle: int
    swing: int
    kind: str = "analog"
    states: str = "{}"


POWER = '{"1": "mains", "2": "battery"}'
SITES = (
    # name, title, kind, gateway, online, points
    (
        "lab-1",
        "长度计量实验室 Length laboratory",
        "laboratory",
        "lab-1",
        True,
        (
            Measured("room-1/air/temperature", "temperature", -2, 2002, 14),
            Measured("room-1/air/relative_humidity", "relative_humidity", -2, 4870, 210),
            Measured("room-1/air/pressure", "pressure", -2, 101_325, 240),
            Measured("room-2/air/temperature", "temperature", -2, 2011, 22),
            Measured("room-2/air/relative_humidity", "relative_humidity", -2, 5120, 180),
            Measured("room-2/light/illuminance", "illuminance", 0, 512, 40),
            Measured("cold-store/air/temperature", "temperature", -2, -1850, 60),
        ),
    ),
    (
        "mobile-1",
        "移动实验室一号 Mobile laboratory 1",
        "mobile_lab",
        "mobile-1",
        True,
        (
            Measured("cabin/air/temperature", "temperature", -2, 2240, 130),
            Measured("cabin/air/relative_humidity", "relative_humidity", -2, 4410, 420),
            Measured("cabin/vibration", "vibration", -3, 420, 300),
            Measured("ups/power", "state", 0, 1, 0, "state", POWER),
            Measured("ups/battery_charge", "battery_charge", -3, 99_000, 900),
            Measured("ups/battery_runtime", "battery_runtime", -2, 144_000, 3000),
        ),
    ),
    (
        "van-1",
        "抽样车一号 Sampling van 1",
        "vehicle",
        "van-1",
        False,
        (Measured("gnss/speed", "speed", -3, 9000, 8000),),
    ),
    ("lab-2", "备用实验室 Spare laboratory", "laboratory", None, False, ()),
)

_READINGS = """
INSERT INTO readings (observed_at, raw, point_id, organisation_id, status)
SELECT at, (%(middle)s + %(swing)s * sin(extract(epoch FROM at) / 9000.0 + %(point)s)
            + %(swing)s * 0.08 * sin(extract(epoch FROM at) * 1.7)
              * sin(extract(epoch FROM at) / 77.0))::bigint,
       %(point)s, 1, 0
FROM generate_series(%(from)s::timestamptz, %(to)s, make_interval(secs => %(period)s / 1000.0)) AS at
WHERE NOT (at >= %(power_from)s AND at < %(power_to)s) AND NOT (at >= %(hole_from)s AND at < %(hole_to)s)
"""

_LATEST = """
INSERT INTO latest (point_id, organisation_id, observed_at, raw, status)
SELECT DISTINCT ON (point_id) point_id, 1, observed_at, raw, status FROM readings
ORDER BY point_id, observed_at DESC
"""

_TRACK = """
INSERT INTO positions (observed_at, point_id, organisation_id, mode, latitude_e9, longitude_e9, altitude_mm,
                       speed_mm_s, course_mdeg, error_horizontal_mm, satellites_used)
SELECT at, %(point)s, 1, 3,
       (%(latitude)s + 0.03 * sin(age / 4000.0) + 0.006 * sin(age / 700.0)) * 1e9,
       (%(longitude)s + 0.045 * cos(age / 5200.0) + 0.004 * cos(age / 500.0)) * 1e9,
       44000, 11200, (abs(mod(age::int, 360)) * 1000)::int, 1800, 17
FROM (SELECT at, extract(epoch FROM at - %(from)s) AS age
      FROM generate_series(%(from)s::timestamptz, %(to)s, '5 seconds') AS at) fixes
WHERE NOT (age > 6000 AND age < 8200)
"""


_NEWEST_PLACE = """
INSERT INTO latest_positions (point_id, organisation_id, observed_at, mode, latitude_e9, longitude_e9,
                              speed_mm_s, course_mdeg)
SELECT point_id, 1, observed_at, mode, latitude_e9, longitude_e9, speed_mm_s, course_mdeg
FROM positions WHERE point_id = %s ORDER BY observed_at DESC LIMIT 1
"""

_BATCH = """
INSERT INTO batches (organisation_id, gateway_id, epoch, seq, hash, previous, key_id, signature, boot,
                     clock_state, clock_source, state, readings, first_at, last_at, received_at)
SELECT 1, g.id, decode(repeat('00', 16), 'hex'), %(seq)s, '', '', '', '', '',
       'synchronised', 'system', 'placed', 1, %(first)s, %(last)s, %(last)s
FROM gateways g WHERE %(gateway)s::int IS NULL OR g.id = %(gateway)s
"""

_BOUND = """
SELECT p.id, b.gateway_id FROM points p JOIN channel_bindings b ON b.point_id = p.id WHERE p.name = %s
"""


_BOUND_POSITION = """
SELECT p.id, b.gateway_id FROM points p JOIN channel_bindings b ON b.point_id = p.id
JOIN sites s ON s.id = p.site_id WHERE p.quantity = 'position' AND s.name = %s
"""


@dataclass(frozen=True)
class Spoken:
    """One device of a gateway: parts are (name, kind, address)."""

    gateway: str
    name: str
    driver: str
    channels: tuple[str, ...] = ()
    parts: tuple[tuple[str, str, str], ...] = ()


ROOM_1 = ("room-1/air/temperature", "room-1/air/relative_humidity", "room-1/air/pressure")
DEVICES = (
    Spoken("lab-1", "room-1", "modbus-rtu", ROOM_1, (("room-1", "unit", "room-1/1"),)),
    Spoken(
        "lab-1",
        "radio",
        "ble",
        (
            "room-2/air/temperature",
            "room-2/air/relative_humidity",
            "room-2/light/illuminance",
            "cold-store/air/temperature",
        ),
        (
            ("room-2/air", "sensor", "CB:B8:33:4C:88:4F"),
            ("room-2/light", "sensor", "CB:B8:33:4C:88:50"),
            ("cold-store/air", "sensor", "CB:B8:33:4C:88:51"),
        ),
    ),
    Spoken("lab-1", "door", "osdp", (), (("door/entry", "reader", ""),)),
    Spoken("mobile-1", "ups", "ups", ("ups/power", "ups/battery_charge", "ups/battery_runtime")),
    Spoken("van-1", "gnss", "gnss", ("gnss/speed",)),
)
ZONES = (
    # site, name, title, kind, covers, cameras, readers
    ("lab-1", "room-1", "长度室 Length room", "room", ["room-1"], [], ["door/entry"]),
    ("lab-1", "room-2", "光学室 Optics room", "room", ["room-2"], ["cam-2"], []),
    ("lab-1", "cold-store", "冷库 Cold store", "cabinet", ["cold-store"], [], []),
    ("mobile-1", "cabin", "舱室 Cabin", "compartment", ["cabin"], [], []),
)
_CANDIDATES = (
    ("radio", "D4:3A:2C:10:77:01", {"format": "ruuvi", "rssi": -71}, timedelta(hours=30)),
    ("radio", "D4:3A:2C:10:77:01", {"format": "ruuvi", "rssi": -68}, timedelta(hours=6)),
    ("room-1", "room-1/17", {"kind": "modbus_unit", "address": 17}, timedelta(minutes=50)),
    ("radio", "D4:3A:2C:10:77:09", {"format": "ruuvi", "rssi": -80}, timedelta(days=3)),
    ("radio", "CB:B8:33:4C:88:4F", {"format": "ruuvi", "rssi": -60}, timedelta(hours=9)),
)
"""What the gateway of lab-1 saw; the last one was configured since, the one before is seen no more."""


async def fill(owner_dsn: str, now: datetime) -> None:
    """Create the tables and fill them with the day before `now`."""
    async with await AsyncConnection.connect(owner_dsn, autocommit=True) as connection:
        await upgrade(connection)
        await connection.execute("INSERT INTO organisations (name) VALUES ('institute')")
        for site in SITES:
            await _site(connection, site, now)
        await connection.execute(_LATEST)
        await _events(connection, now)
        await _batches(connection, now)
        await _devices(connection, now)
        await connection.execute("ANALYZE")
        while await roll_up(connection):
            pass


async def _site(connection: AsyncConnection, site: tuple, now: datetime) -> None:
    name, title, kind, gateway, online, measured = site
    row = await (
        await connection.execute(
            "INSERT INTO sites (organisation_id, name, title, kind, latitude_e9, longitude_e9) "
            "VALUES (1, %s, %s, %s, 39900000000, 116400000000) RETURNING id",
            (name, title, kind),
        )
    ).fetchone()
    if gateway is None:
        return
    last = now - (timedelta(seconds=3) if online else timedelta(minutes=42))
    row_gateway = await (
        await connection.execute(
            "INSERT INTO gateways (organisation_id, name, online, online_since, software, last_batch_at) "
            "VALUES (1, %s, %s, %s, 'heng 0.1.0', %s) RETURNING id",
            (gateway, online, now - timedelta(hours=19, minutes=12), last),
        )
    ).fetchone()
    await connection.execute(
        "INSERT INTO gateway_bindings (organisation_id, gateway_id, site_id) VALUES (1, %s, %s)",
        (row_gateway[0], row[0]),
    )
    for one in measured:
        point = await _point(connection, row[0], row_gateway[0], one, now)
        await _readings(connection, point, one, last)
        if one.name.startswith("room-2") or kind == "mobile_lab":
            await _gap(connection, point, row_gateway[0], now)
        if not online:
            await _open_gap(connection, point, row_gateway[0], last)
    if kind != "laboratory":
        await _track(connection, row[0], row_gateway[0], name, last)


async def _point(connection, site: int, gateway: int, one: Measured, now: datetime) -> int:
    row = await (
        await connection.execute(
            "INSERT INTO points (organisation_id, site_id, name, quantity, kind, states, created_at) "
            "VALUES (1, %s, %s, %s, %s, %s::jsonb, %s) RETURNING id",
            (site, one.name, one.quantity, one.kind, one.states, now - timedelta(days=40)),
        )
    ).fetchone()
    await connection.execute(
        "INSERT INTO point_versions (organisation_id, point_id, exponent, period_ms) VALUES (1, %s, %s, %s)",
        (row[0], one.exponent, PERIOD_MS),
    )
    await connection.execute(
        "INSERT INTO channel_bindings (organisation_id, gateway_id, channel, point_id) "
        "VALUES (1, %s, %s, %s)",
        (gateway, one.name, row[0]),
    )
    return int(row[0])


def gap_times(now: datetime) -> dict[str, datetime]:
    """Return the recorded gap (power) and the hole that no record explains, of some points."""
    return {
        "power_from": now - timedelta(hours=6),
        "power_to": now - timedelta(hours=4, minutes=50),
        "hole_from": now - timedelta(hours=13),
        "hole_to": now - timedelta(hours=12, minutes=20),
    }


async def _readings(connection, point: int, one: Measured, last: datetime) -> None:
    times = gap_times(last)
    if not (one.name.startswith(("room-2", "cabin", "ups"))):
        times = dict.fromkeys(times, last + DAY)
    values = {
        "point": point,
        "middle": one.middle,
        "swing": one.swing,
        "period": PERIOD_MS,
        "from": last - DAY,
        "to": last,
        **times,
    }
    await connection.execute(_READINGS, values)
    if one.name == "ups/power":
        battery = (times["power_to"], times["power_to"] + timedelta(minutes=12))
        await connection.execute(
            "UPDATE readings SET raw = 2 WHERE point_id = %s AND observed_at >= %s AND observed_at < %s",
            (point, *battery),
        )
    if one.name == "cold-store/air/temperature":
        await connection.execute(
            "UPDATE readings SET raw = NULL, status = 20 WHERE point_id = %s AND observed_at > %s",
            (point, last - timedelta(minutes=17)),
        )


async def _gap(connection, point: int, gateway: int, now: datetime) -> None:
    last = now - timedelta(seconds=3)
    times = gap_times(last)
    await connection.execute(
        "INSERT INTO gaps (organisation_id, point_id, gateway_id, key, cause, reason, from_at, to_at) "
        "VALUES (1, %s, %s, %s, 'power', 'supply of the cabinet lost', %s, %s)",
        (point, gateway, f"{point}/1", times["power_from"], times["power_to"]),
    )


async def _open_gap(connection, point: int, gateway: int, last: datetime) -> None:
    await connection.execute(
        "INSERT INTO gaps (organisation_id, point_id, gateway_id, key, cause, reason, from_at) "
        "VALUES (1, %s, %s, %s, 'bus', 'no answer within 1 s', %s)",
        (point, gateway, f"{point}/2", last),
    )


async def _track(connection, site: int, gateway: int, name: str, last: datetime) -> None:
    one = Measured("gnss/position", "position", -9, 0, 0)
    point = await _point(connection, site, gateway, one, last)
    await connection.execute("UPDATE point_versions SET period_ms = 5000 WHERE point_id = %s", (point,))
    latitude, longitude = (39.96, 116.31) if name == "mobile-1" else (39.88, 116.47)
    values = {
        "point": point,
        "latitude": latitude,
        "longitude": longitude,
        "from": last - timedelta(hours=5),
        "to": last,
    }
    await connection.execute(_TRACK, values)
    await connection.execute(_NEWEST_PLACE, (point,))


async def _events(connection, now: datetime) -> None:
    rows = [
        ("power_lost", timedelta(hours=4, minutes=50), '{"flags": "OB DISCHRG"}'),
        ("power_restored", timedelta(hours=4, minutes=38), '{"flags": "CHRG OL"}'),
        *(("clock_bound_widened", timedelta(minutes=7 * i), '{"bound_ms": 40}') for i in range(39, 0, -1)),
    ]
    for kind, ago, data in rows:
        await connection.execute(
            "INSERT INTO events (organisation_id, gateway_id, site_id, observed_at, kind, subject, data) "
            "SELECT 1, g.id, b.site_id, %s, %s, 'ups/power', %s::jsonb FROM gateways g "
            "JOIN gateway_bindings b ON b.gateway_id = g.id WHERE g.name = 'mobile-1'",
            (now - ago, kind, data),
        )


async def _batches(connection, now: datetime) -> None:
    """One batch row for each gateway, so that rollups and the feed know what was stored."""
    times = {"first": now - timedelta(hours=30), "last": now, "seq": 1, "gateway": None}
    await connection.execute(_BATCH, times)


async def _devices(connection, now: datetime) -> None:
    for one in DEVICES:
        parts = [{"name": name, "kind": kind, "address": at} for name, kind, at in one.parts]
        await connection.execute(
            "INSERT INTO devices (organisation_id, gateway_id, name, driver, channels, parts) "
            "SELECT 1, id, %s, %s, %s, %s FROM gateways WHERE name = %s",
            (one.name, one.driver, list(one.channels), Jsonb(parts), one.gateway),
        )
    for device, address, data, ago in _CANDIDATES:
        await connection.execute(
            "INSERT INTO events (organisation_id, gateway_id, observed_at, kind, subject, data) "
            "SELECT 1, id, %s, 'candidate_seen', %s, %s FROM gateways WHERE name = 'lab-1'",
            (now - ago, address, Jsonb({"device": device, **data})),
        )
    await connection.execute(
        "INSERT INTO events (organisation_id, gateway_id, observed_at, kind, subject, data) "
        "SELECT 1, id, %s, 'gateway_backlog', name, %s FROM gateways WHERE name = 'lab-1'",
        (now - timedelta(minutes=2), Jsonb({"readings": 5120, "batches": 3})),
    )
    for site, *zone in ZONES:
        await connection.execute(
            "INSERT INTO zones (organisation_id, site_id, name, title, kind, covers, cameras, readers) "
            "SELECT 1, id, %s, %s, %s, %s, %s, %s FROM sites WHERE name = %s",
            (*zone, site),
        )
    await connection.execute(
        "INSERT INTO ledger (gateway_id, organisation_id, epoch, received, last_at) "
        "SELECT id, 1, decode(repeat('00', 16), 'hex'), '{[1,2)}', %s FROM gateways",
        (now,),
    )


async def store_report(owner_dsn: str, site: str, *, fix: bool) -> datetime:
    """Store one report of a site's position as ingest does, with a fix at 39.909, 116.4 or without."""
    at = datetime.now(UTC)
    place = (3, 39_909_000_000, 116_400_000_000) if fix else (1, None, None)
    async with await AsyncConnection.connect(owner_dsn) as connection:
        row = await (await connection.execute(_BOUND_POSITION, (site,))).fetchone()
        await connection.execute(
            "INSERT INTO positions (observed_at, point_id, organisation_id, mode, latitude_e9, longitude_e9) "
            "VALUES (%s, %s, 1, %s, %s, %s)",
            (at, row[0], *place),
        )
        await connection.execute(
            "UPDATE latest_positions SET observed_at = %s, mode = %s, latitude_e9 = %s, longitude_e9 = %s, "
            "speed_mm_s = NULL, course_mdeg = NULL WHERE point_id = %s",
            (at, *place, row[0]),
        )
        await connection.execute(_BATCH, {"first": at, "last": at, "seq": 3, "gateway": row[1]})
        await connection.execute("NOTIFY heng_feed")
    return at


async def store_reading(owner_dsn: str, point: str, raw: int) -> datetime:
    """Store one reading as ingest does: reading, latest, batch and wake-up in one transaction."""
    at = datetime.now(UTC)
    async with await AsyncConnection.connect(owner_dsn) as connection:
        row = await (await connection.execute(_BOUND, (point,))).fetchone()
        await connection.execute("INSERT INTO readings VALUES (%s, %s, %s, 1, 0)", (at, raw, row[0]))
        await connection.execute(
            "UPDATE latest SET observed_at = %s, raw = %s, status = 0 WHERE point_id = %s", (at, raw, row[0])
        )
        await connection.execute(_BATCH, {"first": at, "last": at, "seq": 2, "gateway": row[1]})
        await connection.execute("NOTIFY heng_feed")
    return at
