"""What the two listeners refuse before anything is said: no, foreign, old, or wrong kind of certificates."""

import asyncio
import socket
import ssl
from datetime import UTC, datetime, timedelta

import pytest

from provisioning import certificates
from provisioning.ca import CertificateAuthority
from provisioning.certificates import Validity
from tests.system import mqtt_raw
from tests.system.mqtt_raw import Connect, RefusedError

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-7.2", "G-7.2a")]

LISTENERS = ["gateway", "hub"]


def port_of(broker, listener: str) -> int:
    return broker.gateway_port if listener == "gateway" else broker.hub_port


def rightful_context(listener: str, gateway_identity, hub_identity) -> ssl.SSLContext:
    return gateway_identity("honest").tls_context() if listener == "gateway" else hub_identity.tls_context()


def bare_context(ca: CertificateAuthority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca.folder / "root-cert.pem")
    return context


def refused(port: int, context: ssl.SSLContext | None, said: Connect) -> str:
    async def scene() -> str:
        with pytest.raises(RefusedError) as caught:
            await mqtt_raw.connect(port, context, said)
        return str(caught.value)

    return asyncio.run(scene())


@pytest.mark.parametrize("listener", LISTENERS)
def test_rightful_certificate_is_let_in(broker, gateway_identity, hub_identity, listener):
    async def scene():
        context = rightful_context(listener, gateway_identity, hub_identity)
        connection = await mqtt_raw.connect(port_of(broker, listener), context, Connect("honest"))
        assert await connection.is_open()
        connection.hang_up()

    asyncio.run(scene())


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("user", [None, "victim"])
def test_no_certificate_is_refused(broker, ca, listener, user):
    said = Connect("x", user=user, password=user)
    assert "CONNACK" not in refused(port_of(broker, listener), bare_context(ca), said)


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("user", [None, "victim"])
def test_plain_connection_is_refused(broker, listener, user):
    refused(port_of(broker, listener), None, Connect("x", user=user, password=user))


@pytest.mark.parametrize("listener", LISTENERS)
def test_tls_below_1_3_is_refused(broker, gateway_identity, hub_identity, listener):
    context = rightful_context(listener, gateway_identity, hub_identity)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("127.0.0.1", port_of(broker, listener)), timeout=10) as plain,
        pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"),
    ):
        context.wrap_socket(plain, server_hostname="localhost")


@pytest.mark.parametrize("listener", LISTENERS)
def test_certificate_of_another_authority_is_refused(broker, ca, tmp_path, listener):
    now = datetime.now(UTC)
    other = CertificateAuthority.create(tmp_path / "other", now=now)
    if listener == "gateway":
        folder = other.issue_gateway("honest", tmp_path / "honest", now=now).folder
    else:
        folder = other.issue_hub("main", now=now).folder
    context = bare_context(ca)
    context.load_cert_chain(folder / "tls-cert.pem", folder / "tls-key.pem")
    assert "CONNACK" not in refused(port_of(broker, listener), context, Connect("honest"))


@pytest.mark.parametrize("listener", LISTENERS)
def test_self_signed_certificate_is_refused(broker, ca, tmp_path, listener):
    made = certificates.root(
        "honest" if listener == "gateway" else "hub:main", Validity(datetime.now(UTC), 1)
    )
    (tmp_path / "key.pem").write_bytes(certificates.key_to_pem(made.key))
    (tmp_path / "cert.pem").write_bytes(certificates.to_pem([made.certificate]))
    context = bare_context(ca)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    assert "CONNACK" not in refused(port_of(broker, listener), context, Connect("honest"))


@pytest.mark.parametrize("listener", LISTENERS)
def test_certificate_of_the_other_listener_is_refused(broker, gateway_identity, hub_identity, listener):
    """On the hub's listener client ids are free: a gateway there could disconnect a worker."""
    other = "hub" if listener == "gateway" else "gateway"
    context = rightful_context(other, gateway_identity, hub_identity)
    assert "CONNACK" not in refused(port_of(broker, listener), context, Connect("honest"))


@pytest.mark.parametrize("listener", LISTENERS)
def test_certificate_of_the_broker_itself_is_refused(broker, ca, listener):
    context = bare_context(ca)
    folder = ca.broker_folder
    context.load_cert_chain(folder / "tls-cert.pem", folder / "tls-key.pem")
    assert "CONNACK" not in refused(port_of(broker, listener), context, Connect("honest"))


def test_expired_certificate_is_refused(broker, ca, tmp_path):
    then = datetime.now(UTC) - timedelta(days=10)
    old = ca.issue_gateway("expired-1", tmp_path / "expired", now=then, days=9)
    assert "CONNACK" not in refused(broker.gateway_port, old.tls_context(), Connect("expired-1"))


def test_gateway_refuses_a_server_with_a_gateway_certificate(gateway_identity):
    """A gateway whose keys were stolen must not pass for the broker."""

    async def scene():
        thief = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        folder = gateway_identity("mallory").folder
        thief.load_cert_chain(folder / "tls-cert.pem", folder / "tls-key.pem")
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=thief)
        async with server:
            port = server.sockets[0].getsockname()[1]
            context = gateway_identity("victim").tls_context()
            context.check_hostname = False
            with pytest.raises(ssl.SSLCertVerificationError, match=r"(?i)purpose"):
                await asyncio.open_connection("127.0.0.1", port, ssl=context)

    asyncio.run(scene())


@pytest.mark.parametrize("judge_dates", [True, False])
def test_gateway_without_a_clock_can_leave_dates_aside(tmp_path, judge_dates):
    """A Pi in 1970 must be able to reach the broker; the reverse case, a lapsed server, is the same check."""

    async def scene():
        past = datetime.now(UTC) - timedelta(days=3000)
        authority = CertificateAuthority.create(tmp_path / "ca", now=past)
        gateway = authority.issue_gateway("honest", tmp_path / "honest", now=datetime.now(UTC))
        lapsed = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        folder = authority.broker_folder
        lapsed.load_cert_chain(folder / "tls-cert.pem", folder / "tls-key.pem")
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=lapsed)
        async with server:
            port = server.sockets[0].getsockname()[1]
            context = gateway.tls_context(judge_dates=judge_dates)
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
            except ssl.SSLCertVerificationError as error:
                return str(error)
            writer.close()
            await writer.wait_closed()
            return "accepted"

    answer = asyncio.run(scene())
    assert ("expired" in answer) if judge_dates else (answer == "accepted")
