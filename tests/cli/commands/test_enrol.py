"""`heng gateway claim` on the hub, `heng enrol` on the gateway: the whole way, with nothing typed."""

import asyncio
import json
import socket
import stat
from datetime import UTC, datetime

import psycopg
import pytest

from cli.main import main
from cloud.enrol.service import EstListener
from cloud.enrol.settings import EnrolSettings
from cloud.store.migrate import upgrade
from provisioning.ca import CertificateAuthority
from provisioning.claim import Claim, claim_uri, read_claim, write_claim
from provisioning.errors import RequestError
from provisioning.identity import GatewayIdentity

pytestmark = pytest.mark.requirement("G-7.2a")


@pytest.fixture(scope="module")
def dsn(databases):
    made = databases.create()

    async def prepare():
        async with await psycopg.AsyncConnection.connect(made, autocommit=True) as connection:
            await upgrade(connection)
            await connection.execute("INSERT INTO organisations (name) VALUES ('metrology')")
            await connection.execute(
                "INSERT INTO sites (organisation_id, name, title, kind) VALUES (1, 'lab-1', 'L',"
                " 'laboratory')"
            )

    asyncio.run(prepare())
    yield made
    databases.drop(made)


def with_listener(dsn, folder, words):
    """Run commands, one after the other, while an EST listener serves; return their exit codes."""
    authority = (
        CertificateAuthority.load(folder)
        if (folder / "root-cert.pem").exists()
        else CertificateAuthority.create(folder, now=datetime.now(UTC))
    )

    async def scene():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            settings = EnrolSettings(
                folder,
                url=f"https://127.0.0.1:{listener.getsockname()[1]}",
                broker="mqtts://127.0.0.1:8883",
            )
            listening = EstListener(
                settings,
                authority,
                database_url=dsn,
                now=lambda: datetime.now(UTC),
                listener=listener,
            )
            up = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                task = group.create_task(listening.run(up.set))
                await up.wait()
                codes = [await asyncio.to_thread(main, [str(word) for word in line]) for line in words]
                task.cancel()
        return codes

    return asyncio.run(scene())


@pytest.mark.slow
def test_new_gateway_comes_by_its_claim_file(dsn, tmp_path, capsys):
    claim, qr, identity = tmp_path / "claim.json", tmp_path / "claim.svg", tmp_path / "identity"
    at = ["--database-url", dsn]
    codes = with_listener(
        dsn,
        tmp_path / "ca",
        [
            ["gateway", "claim", "lab-1", "--id", "lab-1-a", "--out", claim, "--qr", qr, *at],
            ["gateway", "list", *at],
            ["enrol", claim, "--identity", identity],
            ["enrol", claim, "--identity", identity],
            ["gateway", "list", *at],
            ["gateway", "revoke", "lab-1-a", "--why", "it was stolen", *at],
            ["gateway", "replace", "lab-1-a", "--out", tmp_path / "next.json", *at],
        ],
    )
    printed = capsys.readouterr().out
    assert codes == [0] * 7
    assert GatewayIdentity.load(identity).gateway == "lab-1-a"
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in (claim, qr))
    code = json.loads(claim.read_text())["code"]
    assert code not in printed
    assert "claimed until" in printed
    assert "(was enrolled before)" in printed
    assert "revoked, with 1 certificates" in printed
    assert json.loads((tmp_path / "next.json").read_text())["gateway"] == "lab-1-a-r2"


@pytest.mark.slow
def test_site_of_two_organisations_is_told_apart(dsn, tmp_path, capsys):
    with psycopg.connect(dsn, autocommit=True) as connection:
        for owner in ("first", "second"):
            connection.execute("INSERT INTO organisations (name) VALUES (%s)", (owner,))
            connection.execute(
                "INSERT INTO sites (organisation_id, name, title, kind)"
                " SELECT id, 'shared', 'S', 'laboratory' FROM organisations WHERE name = %s",
                (owner,),
            )
    claim = ["gateway", "claim", "shared", "--database-url", dsn, "--out", tmp_path / "claim.json"]
    lines = [claim, [*claim, "--organisation", "third"], [*claim, "--organisation", "second"]]
    assert with_listener(dsn, tmp_path / "ca", lines) == [1, 1, 0]
    said = capsys.readouterr().err
    assert "several organisations have one" in said
    assert "organisation 'third': expected the name" in said


@pytest.mark.slow
def test_acts_that_make_no_sense_are_refused(dsn, tmp_path, capsys):
    at = ["--database-url", dsn]
    codes = with_listener(
        dsn,
        tmp_path / "ca",
        [
            ["gateway", "claim", "nowhere", *at],
            ["gateway", "claim", "lab-1", "--id", "Not An Id", *at],
            ["gateway", "claim", "lab-1", "--hours", "0", *at],
            ["gateway", "approve", "nobody", *at],
            ["gateway", "revoke", "nobody", "--why", "gone", *at],
            ["gateway", "replace", "nobody", *at],
        ],
    )
    said = capsys.readouterr().err
    assert codes == [1] * 6
    assert said.count("heng gateway:") == 6
    assert "site 'nowhere': expected the name of a site" in said


def test_hub_that_cannot_be_reached_is_worth_another_try(tmp_path, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        claim = Claim(
            url=f"https://127.0.0.1:{taken.getsockname()[1]}",
            ca_sha256="0" * 64,
            gateway="lab-1",
            code="ABCD-EFGH",
        )
        (tmp_path / "claim.json").write_bytes(write_claim(claim))
        code = main(["enrol", str(tmp_path / "claim.json"), "--identity", str(tmp_path / "identity")])
    assert code == 75
    assert "refused" in capsys.readouterr().err.lower()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"url": "http://hub"}, "expected https://host:port"),
        ({"code": "SHORT"}, "expected 8 digits and letters"),
        ({"ca_sha256": "abc"}, "ca_sha256"),
        ({"gateway": "No Id"}, "gateway"),
        ({"more": 1}, "more"),
    ],
)
def test_faulty_claim_file_is_named(tmp_path, capsys, change, words):
    good = {"url": "https://hub:8885", "ca_sha256": "0" * 64, "gateway": "lab-1", "code": "ABCD-EFGH"}
    (tmp_path / "claim.json").write_text(json.dumps(good | change))
    assert main(["enrol", str(tmp_path / "claim.json"), "--identity", str(tmp_path / "identity")]) == 2
    assert words in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["claim.json"]


def test_qr_code_says_what_the_file_says():
    claim = Claim(url="https://hub.example:8885", ca_sha256="a1" * 32, gateway="lab-1", code="ABCD-EFGH")
    assert read_claim(claim_uri(claim).encode()) == read_claim(write_claim(claim)) == claim


@pytest.mark.parametrize(
    "text", ["heng:2?url=x", "heng:1?url=https://h", "heng:1?", "heng:1?a=b&c=d&e=f&g=h&i=j"]
)
def test_foreign_qr_code_is_refused(text):
    with pytest.raises(RequestError):
        read_claim(text.encode())
