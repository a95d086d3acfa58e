"""What comes in before a route is asked: addresses, bodies, heads; and what every answer carries."""

import asyncio
import re

import pytest

from cloud.api.entrance import EntranceLimits
from rules.permissions import Grant, Role
from tests.security.raw import get, status

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-7.2a")]

CLIMBING = [
    "/static/../settings.py",
    "/static/../../../../../../etc/passwd",
    "/static/%2e%2e/settings.py",
    "/static/%2e%2e%2f%2e%2e%2fsettings.py",
    "/static/lib/..%2f..%2f..%2fpackage.json",
    "/static/..%5c..%5csettings.py",
    "/static/%252e%252e/settings.py",
    "/static//etc/passwd",
    "/static/css/heng.css%00.txt",
    "/static/lib/%2fetc%2fpasswd",
    "/api/media/../../etc/passwd",
    "/api/media/..%2f..%2fetc%2fpasswd",
    "/api/media/" + "%2e%2e%2f" * 10 + "etc/passwd",
    f"/api/media/{'a' * 63}%2f",
    "/api/calibrations/..%2f1/certificate",
    "/api/audit.csv/../../etc/passwd",
]


def test_no_address_leads_to_a_file_that_is_not_given_out(world, pages):
    token = world.token(Grant(Role.ADMINISTRATOR, 1))

    async def scene():
        async with pages() as hub:
            return {
                target: await hub.say(get(target, f"Authorization: Bearer {token}")) for target in CLIMBING
            }

    for target, answer in asyncio.run(scene()).items():
        assert status(answer) in (307, 400, 404, 422), (target, answer)
        assert b"root:" not in answer, target
        assert b"import " not in answer, target


def test_climbing_address_is_written_down_once_a_minute(lab, pages, refused):
    async def scene():
        async with pages() as hub:
            for target in ("/static/../a", "/static/%2e%2e/b", "/%00", "/a%0d%0aSet-Cookie:%20x=1"):
                assert status(await hub.say(get(target))) == 400

    before = len(refused("The address climbs%"))
    asyncio.run(scene())
    found = refused("The address climbs%")[before:]
    assert [(action, origin) for action, _, _, origin in found] == [("request", "127.0.0.1")]


@pytest.mark.parametrize(
    "target",
    [
        "/sign-in?next=%0d%0aSet-Cookie:%20stolen=1",
        "/sites/lab-1%0d%0aSet-Cookie:%20stolen=1",
        "/?lang=en%0d%0aSet-Cookie:%20stolen=1",
        "/api/audit.csv?object=%0d%0aSet-Cookie:%20stolen=1",
    ],
)
def test_nothing_asked_becomes_a_header_of_the_answer(world, target):
    answer = world.ask(target)
    assert "stolen" not in str(answer.headers.get("set-cookie", ""))
    assert not any("\r" in value or "\n" in value for value in answer.headers.values())


NONE = [
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\x00\r\n\r\n",
    b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
]


def test_what_is_no_request_is_refused_and_ends_the_connection(lab, pages):
    async def scene():
        async with pages() as hub:
            return [await hub.say(head) for head in NONE]

    for head, answer in zip(NONE, asyncio.run(scene()), strict=True):
        assert status(answer) in (0, 400, 404, 413, 431), (head[:100], answer)


def test_connection_that_never_ends_its_head_is_hung_up_on(lab, pages):
    """Letter by letter, or nothing at all: the hub waits no longer for it than for anybody."""

    async def drip(hub) -> None:
        reader, writer = await hub.open()
        for letter in b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ":
            writer.write(bytes((letter,)))
            await asyncio.sleep(0.05)
            if reader.at_eof():
                break
        async with asyncio.timeout(20):
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError, BrokenPipeError)):
                await reader.readexactly(1)
        writer.close()

    async def silent(hub) -> None:
        reader, writer = await hub.open()
        async with asyncio.timeout(20):
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
        writer.close()

    async def scene():
        async with pages() as hub:
            await asyncio.gather(drip(hub), silent(hub))
            assert status(await hub.say(get("/health"))) == 200

    asyncio.run(scene())


def post(path: str, token: str, length: int) -> bytes:
    lines = [
        *(f"POST {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {token}"),
        *("Content-Type: application/json", f"Content-Length: {length}", "", ""),
    ]
    return "\r\n".join(lines).encode()


def test_body_that_never_ends_is_given_up_and_written_down(world, pages, refused):
    token = world.token(Grant(Role.ADMINISTRATOR, 1))

    async def scene():
        async with pages(limits=EntranceLimits(body_s=0.3)) as hub:
            return await hub.say(post("/api/people", token, 100) + b'{"organisation_id"')

    answer = asyncio.run(scene())
    assert status(answer) == 408, answer
    assert refused("the body came too slowly")[-1][1:3] == ("POST /api/people", "asker/test")


@pytest.mark.parametrize("announced", [2 * 1024 * 1024, 10**15])
def test_body_that_is_too_large_is_refused_before_it_is_read(world, pages, refused, announced):
    token = world.token(Grant(Role.ADMINISTRATOR, 1))

    async def scene():
        async with pages() as hub:
            return await hub.say(post("/api/people", token, announced) + b"{")

    before = len(refused("the body is too large"))
    answer = asyncio.run(scene())
    assert status(answer) == 413, answer
    assert len(refused("the body is too large")) == before + 1


def test_body_without_an_announced_end_is_bounded_too(world, pages, refused):
    token = world.token(Grant(Role.ADMINISTRATOR, 1))
    head = post("/api/people", token, 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")

    async def scene():
        async with pages() as hub:
            chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
            return await hub.say(head + chunk * 20)

    assert status(asyncio.run(scene())) == 413


EVERYWHERE = [
    "/",
    "/sign-in",
    "/api",
    "/api/sites",
    "/openapi.json",
    "/static/css/heng.css",
    "/nothing",
    "/health",
]


@pytest.mark.parametrize("path", EVERYWHERE)
@pytest.mark.parametrize("signed_in", [True, False])
def test_no_answer_can_be_framed_sniffed_or_embedded_elsewhere(world, path, signed_in):
    world.token(Grant(Role.ADMINISTRATOR, 1))
    headers = world.ask(path, cookies=world.session() if signed_in else None).headers
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["referrer-policy"] == "same-origin"
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"unsafe|\*", policy)
    assert "access-control-allow-origin" not in headers


def test_data_that_a_browser_shows_runs_no_script(world):
    token = world.token(Grant(Role.ADMINISTRATOR, 1))
    assert "script-src 'none'" in world.ask("/api/people", token).headers["content-security-policy"]
