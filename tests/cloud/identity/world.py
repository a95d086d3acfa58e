"""Three sites with the same kinds of things, two of one organisation: each under its own mark."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from wire.codec import encode_body
from wire.control import ControlStatus, InterlockNow

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(hours=1)


class Lab(Protocol):
    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]: ...


_SETTINGS = """
[[device]]
driver = "gnss"
name = "gps"
prefix = "car"
[[interlock]]
name = "{}"
[[interlock.group]]
name = "gas"
[[interlock.group.cause]]
kind = "event"
name = "alarm"
event = "gas_alarm"
lasts_s = 60
[[interlock.effect]]
kind = "hold_work"
target = "room"
"""


@dataclass(frozen=True)
class Place:
    """A site and the ids of what belongs to it; `mark` is part of every name."""

    mark: str
    organisation: int
    site: int
    gateway: str
    point: int
    position: int
    person: int
    account: int
    grant: int
    authorisation: int
    camera: int
    calibration: int
    """Of a certificate's file; its point is the camera's frame rate, which nothing else asks for."""
    sha256: str
    """Of a part of a recording, and of the certificate's file."""
    token: int
    interlock: str
    command: str


def build(lab: Lab) -> dict[str, Place]:
    """Return `here` and `there` of organisation 1, and `alien` of organisation 2."""
    (other,) = lab.execute("INSERT INTO organisations (name) VALUES ('alien body') RETURNING id")
    return {
        mark: _place(lab, mark, organisation)
        for mark, organisation in (("here", 1), ("there", 1), ("alien", int(other[0])))
    }


def _adder(lab: Lab, organisation: int) -> Callable[..., int]:
    def add(statement: str, *values: object) -> int:
        return int(lab.execute(statement + " RETURNING id", organisation, *values)[0][0])

    return add


def _place(lab: Lab, mark: str, organisation: int) -> Place:
    add = _adder(lab, organisation)

    site, gateway = _served(add, mark)
    points = []
    for name, quantity in (("air/temperature", "temperature"), ("position", "position")):
        point = add(
            "INSERT INTO points (organisation_id, site_id, name, quantity, kind)"
            " VALUES (%s, %s, %s, %s, 'analog')",
            site,
            f"{mark}/{name}",
            quantity,
        )
        add(
            "INSERT INTO point_versions (organisation_id, point_id, exponent, period_ms)"
            " VALUES (%s, %s, -2, 1000)",
            point,
        )
        points.append(point)
    point, position = points
    lab.execute("INSERT INTO readings VALUES (%s, 2000, %s, %s, 0)", START, point, organisation)
    lab.execute("INSERT INTO latest VALUES (%s, %s, %s, 2000, 0)", point, organisation, START)
    lab.execute(
        "INSERT INTO latest_positions VALUES (%s, %s, %s, 3, 1, 2, 3, 4)", position, organisation, START
    )
    add(
        "INSERT INTO events (organisation_id, gateway_id, site_id, observed_at, kind, subject)"
        " VALUES (%s, %s, %s, %s, 'power_lost', %s)",
        gateway,
        site,
        START,
        f"{mark}-ups",
    )
    add(
        "INSERT INTO gaps (organisation_id, point_id, gateway_id, key, cause, reason, from_at)"
        " VALUES (%s, %s, %s, %s, 'bus', %s, %s)",
        point,
        gateway,
        mark,
        f"{mark} bus",
        START,
    )
    lab.execute(
        "INSERT INTO ledger (gateway_id, organisation_id, epoch, received) VALUES (%s, %s, %s, '{[1,3)}')",
        gateway,
        organisation,
        bytes(16),
    )
    people = _people(lab, mark, organisation=organisation, site=site)
    sha256 = hashlib.sha256(mark.encode()).digest()
    camera, rate = _camera(lab, mark, organisation=organisation, site=site, gateway=gateway, sha256=sha256)
    calibration = _calibration(lab, mark, organisation=organisation, point=rate, sha256=sha256)
    token = _token(lab, mark, organisation=organisation, account=people[1], sha256=sha256)
    control = _control(lab, mark, organisation=organisation, site=site, gateway=gateway)
    name = f"{mark}-gateway"
    return Place(
        *(mark, organisation, site, name, point, position, *people, camera, calibration),
        sha256.hex(),
        token,
        *control,
    )


def _served(add: Callable[..., int], mark: str) -> tuple[int, int]:
    """Return a site and the gateway that serves it."""
    site = add(
        "INSERT INTO sites (organisation_id, name, title, kind) VALUES (%s, %s, %s, 'laboratory')",
        f"{mark}-site",
        f"{mark} site",
    )
    gateway = add("INSERT INTO gateways (organisation_id, name) VALUES (%s, %s)", f"{mark}-gateway")
    add(
        "INSERT INTO gateway_bindings (organisation_id, gateway_id, site_id) VALUES (%s, %s, %s)",
        gateway,
        site,
    )
    return site, gateway


def _camera(
    lab: Lab, mark: str, *, organisation: int, site: int, gateway: int, sha256: bytes
) -> tuple[int, int]:
    """Give a site a camera with a part of a recording; return its id and that of its frame rate."""
    add = _adder(lab, organisation)
    made = []
    for name, quantity, kind in (
        ("recorded", "duration", "counter"),
        ("frame_rate", "frequency", "counter"),
        ("picture", "camera", "state"),
    ):
        point = add(
            "INSERT INTO points (organisation_id, site_id, name, quantity, kind) VALUES (%s, %s, %s, %s, %s)",
            site,
            f"{mark}-cam/{name}",
            quantity,
            kind,
        )
        add(
            "INSERT INTO channel_bindings (organisation_id, gateway_id, channel, point_id)"
            " VALUES (%s, %s, %s, %s)",
            gateway,
            f"{mark}-cam/{name}",
            point,
        )
        made.append(point)
    lab.execute(
        "INSERT INTO gateway_keys (organisation_id, gateway_id, key_id, public_key, certificate_pem, proof,"
        " refused_at) VALUES (%s, %s, %s, '', '', '', %s)",
        organisation,
        gateway,
        sha256[:8],
        START,
    )
    lab.execute(
        "INSERT INTO media (organisation_id, gateway_id, site_id, camera, device, kind, sha256, bytes,"
        " content_type, description, key_id, signature, received_at)"
        " VALUES (%s, %s, %s, %s, 'cam', 'segment', %s, 1, 'video/mp2t', '', %s, '', %s)",
        *(organisation, gateway, site, f"{mark}-cam", sha256, sha256[:8], START),
    )
    return made[0], made[1]


def _calibration(lab: Lab, mark: str, *, organisation: int, point: int, sha256: bytes) -> int:
    """Calibrate a point, with a certificate's file; return the calibration's id."""
    lab.execute(
        "INSERT INTO certificate_files (organisation_id, sha256, content_type, body, author)"
        " VALUES (%s, %s, 'application/pdf', '%%PDF-', 'x')",
        organisation,
        sha256,
    )
    return _adder(lab, organisation)(
        "INSERT INTO calibrations (organisation_id, point_id, valid, indicated, correction, exponent,"
        " certificate, certificate_sha256) VALUES (%s, %s, tstzrange(%s, NULL), '{0}', '{0}', 0, %s, %s)",
        point,
        START,
        f"{mark} certificate",
        sha256,
    )


def _token(lab: Lab, mark: str, *, organisation: int, account: int, sha256: bytes) -> int:
    return _adder(lab, organisation)(
        "INSERT INTO api_tokens (organisation_id, account_id, name, token_hash, scopes, expires_at)"
        " VALUES (%s, %s, %s, %s, '{readings.read}', %s)",
        account,
        f"{mark} token",
        sha256,
        NOW + timedelta(days=1),
    )


def _control(lab: Lab, mark: str, *, organisation: int, site: int, gateway: int) -> tuple[str, str]:
    """Have a gateway tell of an interlock, and a command wait for it; return their names."""
    name = f"{mark}-room"
    interlock = InterlockNow(name=name, rule="r", phase="healthy", breach=0)
    status = ControlStatus(gateway=f"{mark}-gateway", boot=bytes(16), tick=1, interlocks=(interlock,))
    lab.execute(
        "INSERT INTO control_status VALUES (%s, %s, %s, 1, %s, %s, %s)",
        *(organisation, gateway, bytes(16), encode_body(status), START, START),
    )
    lab.execute(
        "INSERT INTO settings_revisions VALUES (%s, %s, 1, %s, sha256('x'), 'gateway', 'x', 'x', %s, 0)",
        *(organisation, gateway, _SETTINGS.format(name), START),
    )
    lab.execute(
        "INSERT INTO settings_reported VALUES (%s, %s, 0, 0, 'file', '[]', 0, 0, sha256('x'), 1, %s, %s)",
        *(organisation, gateway, START, START),
    )
    command = hashlib.sha256(name.encode()).digest()[:16]
    lab.execute(
        "INSERT INTO commands (id, organisation_id, gateway_id, site_id, name, arguments, asker_kind, asker,"
        " by_person, rights, asked_at, valid_ms, approve_until) VALUES (%s, %s, %s, %s, 'interlock.bypass',"
        " jsonb_build_object('interlock', %s::text), 'account', 'x', 'x', '{}', %s, 30000, %s)",
        *(command, organisation, gateway, site, name, NOW, NOW + timedelta(minutes=5)),
    )
    return name, command.hex()


def _people(lab: Lab, mark: str, *, organisation: int, site: int) -> tuple[int, int, int, int]:
    """Return person, account, granted role and authorisation."""
    add = _adder(lab, organisation)
    person = add(
        "INSERT INTO people (organisation_id, number, name) VALUES (%s, %s, %s)",
        f"{mark}-1",
        f"{mark} person",
    )
    account = add(
        "INSERT INTO accounts (organisation_id, person_id, login) VALUES (%s, %s, %s)",
        person,
        f"{mark}-login",
    )
    grant = add(
        "INSERT INTO role_grants (organisation_id, account_id, role, at_site_id)"
        " VALUES (%s, %s, 'viewer', %s)",
        account,
        site,
    )
    authorisation = add(
        "INSERT INTO authorisations (organisation_id, person_id, kind, subject, valid)"
        " VALUES (%s, %s, 'activity', %s, tstzrange(%s, NULL))",
        person,
        f"{mark} weighing",
        START,
    )
    return person, account, grant, authorisation
