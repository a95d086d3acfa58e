"""`heng gateway claim` on the hub, `heng enrol` on the gateway: the whole way, with nothing typed."""

import asyncio
import json
import socket
import stat
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from cli.commands.enrol import leads_elsewhere
from cli.main import main
from cloud.enrol.service import EstListener
from cloud.enrol.settings import EnrolSettings
from cloud.store.migrate import upgrade
from provisioning.ca import CertificateAuthority
from provisioning.claim import Claim, claim_uri, read_claim, write_claim
from provisioning.errors import RequestError
from provisioning.identity import GatewayIdentity
from wire.settings.gateway import UplinkSection

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
    at, settings = ["--database-url", dsn], tmp_path / "gateway.toml"
    settings.write_text(
        '[gateway]\nid = "lab-1-a"\n[uplink]\nhost = "127.0.0.1"\nport = 1883\n'
        '[[device]]\ndriver = "gnss"\nname = "gps"\nprefix = "car"\n'
    )
    codes = with_listener(
        dsn,
        tmp_path / "ca",
        [
            ["gateway", "claim", "lab-1", "--id", "lab-1-a", "--out", claim, "--qr", qr, *at],
            ["gateway", "list", *at],
            ["enrol", claim, "--identity", identity],
            ["enrol", claim, "--settings", settings],
            ["gateway", "list", *at],
            ["gateway", "revoke", "lab-1-a", "--why", "it was stolen", *at],
            ["gateway", "replace", "lab-1-a", "--out", tmp_path / "next.json", *at],
        ],
    )
    printed, warned = capsys.readouterr()
    assert codes == [0] * 7
    assert warned.count("WARNING") == 1
    assert f"{settings} leads to 127.0.0.1:1883, but the hub's broker is at 127.0.0.1:8883" in warned
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


@pytest.mark.parametrize(
    ("host", "port", "broker"),
    [("Hub.example", 8883, "mqtts://hub.example"), ("::1", 29915, "mqtts://[::1]:29915")],
)
def test_settings_that_lead_to_the_broker_are_not_warned_of(host, port, broker):
    assert leads_elsewhere(Path("g.toml"), UplinkSection(host=host, port=port), broker=broker) is None


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 8883), ("other", 29915)])
def test_settings_that_lead_elsewhere_are_told_with_both_addresses_and_the_cure(host, port):
    uplink = UplinkSection(host=host, port=port)
    said = leads_elsewhere(Path("g.toml"), uplink, broker="mqtts://127.0.0.1:29915")
    assert said is not None
    assert f"g.toml leads to {host}:{port}, but the hub's broker is at 127.0.0.1:29915" in said
    assert said.endswith('[uplink]\nhost = "127.0.0.1"\nport = 29915')


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
        ({"ca_sha256": "abc"}, "field 'ca_sha256': 'abc': expected 64 hexadecimal digits"),
        ({"gateway": "No Id"}, "field 'gateway': 'No Id': expected 1 to 63 lower-case letters"),
        ({"code": 7}, "field 'code': as it stands: expected 8 digits and letters"),
        ({"more": 1}, "field 'more' is not known: expected the fields url, ca_sha256, gateway, code"),
    ],
)
def test_faulty_claim_file_is_named(tmp_path, capsys, change, words):
    good = {"url": "https://hub:8885", "ca_sha256": "0" * 64, "gateway": "lab-1", "code": "ABCD-EFGH"}
    (tmp_path / "claim.json").write_text(json.dumps(good | change))
    assert main(["enrol", str(tmp_path / "claim.json"), "--identity", str(tmp_path / "identity")]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert f"{tmp_path / 'claim.json'}: " in told
    assert [path.name for path in tmp_path.iterdir()] == ["claim.json"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "field 'url' is missing: expected https://host:port"),
        ("[]", "expected a claim file, a JSON object with the fields url"),
        ("not JSON", "expected a claim file (JSON), or the text of its QR code"),
    ],
)
def test_file_that_is_no_claim_is_refused_with_what_was_expected(tmp_path, capsys, text, words):
    (tmp_path / "claim.json").write_text(text)
    assert main(["enrol", str(tmp_path / "claim.json"), "--identity", str(tmp_path / "identity")]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"heng enrol: {tmp_path / 'claim.json'}: ")
    assert words in told


def test_code_of_a_faulty_qr_text_is_not_shown(tmp_path, capsys):
    text = "heng:1?url=x&ca=y&id=z&code=ABCD-EFGH"
    assert main(["enrol", text, "--identity", str(tmp_path / "identity")]) == 2
    assert "ABCD" not in capsys.readouterr().err


def test_qr_code_says_what_the_file_says():
    claim = Claim(url="https://hub.example:8885", ca_sha256="a1" * 32, gateway="lab-1", code="ABCD-EFGH")
    assert read_claim(claim_uri(claim).encode()) == read_claim(write_claim(claim)) == claim


@pytest.mark.parametrize(
    "text", ["heng:2?url=x", "heng:1?url=https://h", "heng:1?", "heng:1?a=b&c=d&e=f&g=h&i=j"]
)
def test_foreign_qr_code_is_refused(text):
    with pytest.raises(RequestError):
        read_claim(text.encode())
