"""Many gateways enrol at one listener."""

import asyncio
from datetime import UTC, datetime

import psycopg
import pytest

from benchmarks.enrolments import enrol_all, est_listener, make_claims
from cloud.store.migrate import upgrade
from provisioning.ca import CertificateAuthority
from provisioning.identity import GatewayIdentity

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-7.2a")]

GATEWAYS = 40
LIMIT_S = 300.0 * GATEWAYS / 1000


def test_enrolments_are_quick_enough_for_a_thousand_in_five_minutes(fresh_postgres_dsn, tmp_path):
    async def scene():
        async with await psycopg.AsyncConnection.connect(fresh_postgres_dsn, autocommit=True) as connection:
            await upgrade(connection)
            await connection.execute("INSERT INTO organisations (name) VALUES ('metrology')")
            await connection.execute(
                "INSERT INTO sites (organisation_id, name, title, kind)"
                " VALUES (1, 'lab-1', 'Laboratory 1', 'laboratory')"
            )
        authority = CertificateAuthority.create(tmp_path / "ca", now=datetime.now(UTC))
        async with est_listener(authority, fresh_postgres_dsn):
            names = [f"many-{number}" for number in range(GATEWAYS)]
            claims = await make_claims(fresh_postgres_dsn, "lab-1", names)
            return await enrol_all(claims, tmp_path / "gateways")

    found = asyncio.run(scene())
    assert found.number == GATEWAYS
    assert found.seconds < LIMIT_S
    assert {GatewayIdentity.load(path).gateway for path in (tmp_path / "gateways").iterdir()} == {
        f"many-{number}" for number in range(GATEWAYS)
    }
