"""Pictures and segments come in over TLS, are kept once under their hash, and what is wrong is refused."""

import asyncio
import hashlib
import json
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest

from edge.media.link import LinkError
from provisioning.identity import GatewayIdentity

pytestmark = pytest.mark.slow
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4 + b"\xff\xd9"
BIG = b"\xff\xd8\xff" + bytes(300_000)
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Lab(Protocol):
    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]: ...


async def until(condition: Callable[[], object]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come true within 10 s")


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def asked(there: Any) -> None:
    """Ask over a bare connection; nothing that is answered is good."""
    reader, writer = await there.open()
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n")
        raise ConnectionError((await reader.read()) or "closed")
    finally:
        writer.close()


@pytest.mark.requirement("G-6.9c1")
def test_picture_is_kept_under_its_hash_with_what_was_signed(lab: Lab, hub: Any, far: Any) -> None:
    async def scenario() -> None:
        async with hub() as here:
            there = far(here)
            assert await there.put(JPEG) == (201, "kept")
            assert await there.put(JPEG) == (200, "it is here already")
            assert await there.put(BIG, kind="segment", content_type="video/mp2t", moment="") == (201, "kept")
            assert here.files() == sorted([sha(JPEG), sha(BIG)])
            assert here.room.file(sha(JPEG)).read_bytes() == JPEG
            assert here.room.file(sha(BIG)).read_bytes() == BIG
            assert not here.room.listening("gateway-1")
            assert (await there.link.ask("GET", "/media/gateway-1/wanted")).status == 200
            assert here.room.listening("gateway-1")
            there.link.close()

    asyncio.run(scenario())
    ((site, camera, kind, size, reason, at, received, text, key, deleted),) = lab.execute(
        "SELECT site_id, camera, kind, bytes, reason, from_at, received_at, description, key_id, deleted_at"
        " FROM media WHERE sha256 = %s",
        bytes.fromhex(sha(JPEG)),
    )
    assert (site, camera, kind, size, reason) == (1, "weighing/camera", "picture", len(JPEG), "door \u95e8")
    assert at == received == NOW
    assert json.loads(text)["reason"] == "door \u95e8"
    assert len(key) == 8
    assert deleted is None


def test_wrong_hash_is_refused_and_leaves_nothing(lab: Lab, hub: Any, far: Any) -> None:
    async def scenario() -> None:
        async with hub() as here:
            there = far(here)
            status, said = await there.put(JPEG, sha256=sha(b"another"))
            assert status == 422
            assert sha(JPEG) in said
            assert here.files() == []
            assert (await there.put(JPEG))[0] == 201
            there.link.close()

    asyncio.run(scenario())
    assert lab.execute("SELECT count(*) FROM media") == [(1,)]


@pytest.mark.requirement("G-6.9c1")
def test_gateway_speaks_for_itself_and_its_own_cameras_alone(
    lab: Lab, hub: Any, far: Any, another_camera: str
) -> None:
    async def scenario() -> None:
        async with hub() as here:
            for there, more, words in (
                (far(here, "gateway-3"), {}, "no key of this gateway is known yet"),
                (far(here, "gateway-2", signed_by="gateway-3"), {}, "unknown key"),
                (far(here, "gateway-2"), {"gateway": "gateway-1"}, "the certificate is of gateway-2"),
                (far(here, "gateway-2", signed_by="gateway-1"), {}, "signed with a key of gateway-1"),
                (far(here), {"camera": another_camera}, "none that gateway-1 declared"),
                (far(here), {"camera": "weighing"}, "none that gateway-1 declared"),
            ):
                status, said = await there.put(JPEG, **more)
                assert (status, words in said) == (403, True), said
                there.link.close()
            assert here.files() == []

    asyncio.run(scenario())
    assert lab.execute("SELECT count(*) FROM media") == [(0,)]


def test_who_comes_too_early_is_told_so_and_is_no_intruder(lab: Lab, hub: Any, far: Any) -> None:
    """A gateway may bring a picture before its key, or its camera, has come by MQTT."""
    lab.execute("DELETE FROM gateways WHERE name = 'gateway-4'")

    async def scenario() -> None:
        async with hub(told_s=0.05) as here:
            for there, more, words in (
                (far(here, "gateway-4"), {}, "no key of this gateway is known yet"),
                (far(here), {"camera": "cellar/camera"}, "none that gateway-1 declared"),
                (far(here, signed_by="gateway-4"), {}, "unknown key"),
            ):
                for _ in range(2):
                    status, said = await there.put(JPEG, **more)
                    assert (status, words in said) == (403, True), said
                there.link.close()
            await until(lambda: told())

    def told() -> list[tuple[Any, ...]]:
        return lab.execute("SELECT actor, why FROM audit_log WHERE action = 'media.request' ORDER BY id")

    before = len(told())
    asyncio.run(scenario())
    assert told()[before:] == [("gateway-1", "unknown key")]


def test_one_gateway_does_not_take_the_room_of_all_others(
    lab: Lab, hub: Any, far: Any, gateway_identity: Callable[[str], GatewayIdentity], another_camera: str
) -> None:
    """What is announced has its room kept; who announces and never sends may keep so much and no more."""

    async def scenario() -> None:
        async with hub(bytes_max=4_500_000_000) as here:
            there = far(here)
            kept = []
            for number in range(2):
                size = 1_500_000_000
                told = {"kind": "segment", "content_type": "video/mp2t", "moment": "", "bytes": size}
                head = there.head(b"%d" % number, **told).replace(
                    b"Content-Length: 1\r\n", b"Content-Length: %d\r\n" % size
                )
                reader, writer = await there.open()
                writer.write(head + b"0")
                kept.append(writer)
                if number == 0:
                    await until(here.files)
            assert b" 507 " in await reader.readline()
            other = far(here, "gateway-2")
            assert (await other.put(JPEG, camera=another_camera))[0] == 201
            other.link.close()
            for writer in kept:
                writer.transport.abort()

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_withdrawn_key_is_refused_at_once(
    lab: Lab, hub: Any, far: Any, gateway_identity: Callable[[str], GatewayIdentity]
) -> None:
    key = gateway_identity("gateway-1").signer.key_id

    async def scenario() -> None:
        async with hub() as here:
            there = far(here)
            assert (await there.put(JPEG))[0] == 201
            lab.execute("UPDATE gateway_keys SET refused_at = now() WHERE key_id = %s", key)
            status, said = await there.put(JPEG)
            assert (status, "withdrawn" in said) == (403, True)
            there.link.close()

    try:
        asyncio.run(scenario())
    finally:
        lab.execute("UPDATE gateway_keys SET refused_at = NULL WHERE key_id = %s", key)


def test_without_a_certificate_of_a_gateway_nobody_comes_in(hub: Any, far: Any, hub_identity: Any) -> None:
    async def scenario() -> None:
        async with hub() as here:
            nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            nobody.load_verify_locations(hub_identity.folder / "ca.pem")
            for context in (nobody, hub_identity.tls_context()):
                there = far(here)
                there.tls = context
                with pytest.raises((ssl.SSLError, ConnectionError)):
                    await asked(there)
            old = far(here)
            old.tls.minimum_version = ssl.TLSVersion.TLSv1_2
            old.tls.maximum_version = ssl.TLSVersion.TLSv1_2
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await old.open()

    asyncio.run(scenario())


def test_what_was_signed_cannot_be_changed(hub: Any, far: Any) -> None:
    async def scenario() -> None:
        async with hub() as here:
            there = far(here)
            head = there.head(JPEG)
            for wrong in (
                head.replace(b"timer", b"after"),
                head.replace(b"heng-key: ", b"heng-key: zz"),
                head.replace(b"heng-sha256: ", b"heng-sha256: A"),
                head.replace(b"Content-Length: 1030", b"Content-Length: 1031"),
            ):
                assert wrong != head
                reader, writer = await there.open()
                writer.write(wrong)
                status = int((await reader.readline()).split()[1])
                assert status in (400, 403)
                writer.transport.abort()
            assert here.files() == []

    asyncio.run(scenario())


def test_too_large_a_picture_is_refused_before_it_is_read(hub: Any, far: Any) -> None:
    async def scenario() -> None:
        async with hub() as here:
            there = far(here)
            status, said = await there.put(JPEG, bytes=10**9)
            assert (status, "at most" in said) == (400, True)
            head = there.head(JPEG, bytes=20_000_001).replace(b"Length: 1030", b"Length: 20000001")
            reader, writer = await there.open()
            writer.write(head)
            assert b" 400 " in await reader.readline()
            writer.transport.abort()
            there.link.close()

    asyncio.run(scenario())


def test_noise_and_requests_that_are_none_end_the_connection_alone(hub: Any, far: Any) -> None:
    async def scenario() -> None:
        async with hub(read_s=0.5) as here:
            there = far(here)
            for sent, status in (
                (b"\x00\xff noise \r\n\r\n", b" 400 "),
                (b"GET / HTTP/1.1\r\nHost: h\r\nx: " + b"y" * 40_000, b" 431 "),
                (there.head(JPEG).replace(b"Content-Length: 1030", b"Transfer-Encoding: chunked"), b" 411 "),
                (there.head(JPEG).replace(b"Content-Length: 1030", b"Content-Length: -1"), b" 400 "),
                (there.head(JPEG) + JPEG + b"more than that", b" 201 "),
                (b"GET", b""),
            ):
                reader, writer = await there.open()
                writer.write(sent)
                assert status in await reader.readline(), sent[:60]
                writer.transport.abort()
            assert (await there.put(JPEG))[0] == 200
            there.link.close()

    asyncio.run(scenario())


def test_slow_body_is_given_up_and_leaves_nothing(hub: Any, far: Any) -> None:
    async def scenario() -> None:
        async with hub(read_s=0.3) as here:
            there = far(here)
            reader, writer = await there.open()
            writer.write(there.head(JPEG) + JPEG[:500])
            assert b" 408 " in await reader.readline()
            writer.transport.abort()
            drip = await there.open()
            drip[1].write(there.head(JPEG))
            for byte in JPEG[:20]:
                drip[1].write(bytes([byte]))
                await asyncio.sleep(0.05)
            assert b" 408 " in await drip[0].readline()
            drip[1].transport.abort()
            assert here.files() == []

    asyncio.run(scenario())


def test_connection_that_breaks_in_the_middle_leaves_nothing(hub: Any, far: Any) -> None:
    async def scenario() -> None:
        async with hub() as here:
            there = far(here)
            _, writer = await there.open()
            writer.write(there.head(BIG, bytes=len(BIG)) + BIG[:100_000])
            await writer.drain()
            await until(here.files)
            writer.transport.abort()
            await until(lambda: not here.files())
            assert (await there.put(BIG))[0] == 201
            there.link.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))


@pytest.mark.requirement("G-6.9c1")
def test_full_folder_takes_nothing_more_and_loses_nothing(hub: Any, far: Any) -> None:
    async def scenario() -> None:
        async with hub(bytes_max=1_500_000) as here:
            there = far(here)
            pictures = [BIG + bytes([n]) for n in range(6)]
            answers = [await there.put(data) for data in pictures]
            assert [status for status, _ in answers] == [201, 201, 201, 201, 507, 507]
            assert "at most 1500000 are kept" in answers[-1][1]
            assert len(here.files()) == 4
            assert (await there.put(pictures[0]))[0] == 200
            there.link.close()
        async with hub(bytes_max=2_000_000) as here:
            there = far(here)
            assert (await there.put(pictures[4]))[0] == 201
            there.link.close()

    asyncio.run(scenario())


def test_hub_that_starts_again_knows_its_files_and_clears_what_was_begun(hub: Any, far: Any) -> None:
    async def scenario() -> None:
        async with hub() as here:
            there = far(here)
            assert (await there.put(JPEG))[0] == 201
            there.link.close()
            (here.folder / "incoming" / "x.part").write_bytes(b"begun")
            (here.folder / "00").mkdir()
            (here.folder / "00" / ("0" * 64)).write_bytes(b"placed, but its row was not written")
        async with hub() as here:
            assert here.files() == [sha(JPEG)]
            there = far(here)
            assert (await there.put(JPEG))[0] == 200
            there.link.close()

    asyncio.run(scenario())


@pytest.mark.requirement("G-6.9c1")
def test_old_files_go_and_their_rows_say_so(lab: Lab, hub: Any, far: Any) -> None:
    async def scenario() -> None:
        async with hub(keep_days=30) as here:
            there = far(here)
            old = int(NOW.timestamp() * 1000) - 31 * 86_400_000
            assert (await there.put(JPEG, from_ms=old))[0] == 201
            assert (await there.put(BIG))[0] == 201
            await here.room.let_go()
            assert here.files() == [sha(BIG)]
            assert here.room.file(sha(JPEG)) is None
            there.link.close()

    asyncio.run(scenario())
    rows = lab.execute("SELECT deleted_at, deleted_why FROM media ORDER BY bytes")
    assert rows == [(NOW, "older than 30 days"), (None, None)]


def test_files_go_when_their_organisation_keeps_them_no_longer(lab: Lab, hub: Any, far: Any) -> None:
    lab.execute("INSERT INTO retention (organisation_id, class, days) VALUES (1, 'pictures', 10)")

    async def scenario() -> None:
        async with hub() as here:
            there = far(here)
            old = int(NOW.timestamp() * 1000) - 11 * 86_400_000
            assert (await there.put(JPEG, from_ms=old))[0] == 201
            assert (await there.put(BIG))[0] == 201
            await here.room.let_go()
            assert here.files() == [sha(BIG)]
            there.link.close()

    asyncio.run(scenario())
    rows = lab.execute("SELECT deleted_at, deleted_why FROM media ORDER BY bytes")
    assert rows == [(NOW, "older than its organisation keeps pictures"), (None, None)]
    told = lab.execute("SELECT object, new::text FROM audit_log WHERE actor = 'retention'")
    assert told == [("pictures and recordings", '{"files":1}')]
    lab.execute("DELETE FROM retention")


def test_what_nobody_knows_is_named(hub: Any, far: Any) -> None:
    async def scenario() -> None:
        async with hub() as here:
            there = far(here)
            for method, target, status in (
                ("GET", "/", 404),
                ("GET", "/media/gateway-1/nothing", 404),
                ("PUT", "/media/gateway-1/abc", 400),
                ("POST", "/media/gateway-1/live/none?n=1", 410),
            ):
                assert (await there.link.ask(method, target)).status == status
            there.link.close()
            with pytest.raises(LinkError):
                await far(here, "gateway-2").link.ask("GET", "x y")

    asyncio.run(scenario())
