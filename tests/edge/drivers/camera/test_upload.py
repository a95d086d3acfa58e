"""Pictures wait in a bounded folder that survives restarts, and go over TLS to who takes them."""

import asyncio
import datetime
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edge.drivers.camera.upload import HttpsEndpoint, UploadError, Waiting


def picture(folder: Path, data: bytes) -> Path:
    file = folder / "picture.part"
    file.write_bytes(data)
    return file


def add(waiting: Waiting, folder: Path, data: bytes) -> str:
    note = waiting.add(
        picture(folder, data), camera="c", kind="timer", reason="door \u95e8", tick=1, utc_ms=None
    )
    return note.sha256


def test_pictures_wait_over_restarts_and_the_oldest_comes_first(tmp_path: Path) -> None:
    folder = tmp_path / "waiting"
    first = add(Waiting(folder, bytes_max=10**6), tmp_path, b"one")
    os.utime(folder / f"{first}.json", (1, 1))
    second = add(Waiting(folder, bytes_max=10**6), tmp_path, b"two")
    waiting = Waiting(folder, bytes_max=10**6)
    found = waiting.oldest()
    assert found is not None
    assert (found[1].sha256, found[0].read_bytes()) == (first, b"one")
    waiting.remove(found[0])
    found = waiting.oldest()
    assert found is not None
    assert found[1].sha256 == second


def test_full_folder_lets_the_oldest_go_and_names_them(tmp_path: Path) -> None:
    waiting = Waiting(tmp_path / "waiting", bytes_max=2500)
    digests = [add(waiting, tmp_path, bytes([n]) * 1000) for n in range(3)]
    for age, digest in enumerate(digests):
        os.utime(tmp_path / "waiting" / f"{digest}.json", (age, age))
    assert waiting.prune() == digests[:1]
    assert waiting.prune() == []
    assert not (tmp_path / "waiting" / f"{digests[0]}.jpg").exists()


def test_note_that_is_none_is_thrown_away(tmp_path: Path) -> None:
    waiting = Waiting(tmp_path / "waiting", bytes_max=10**6)
    digest = add(waiting, tmp_path, b"one")
    (tmp_path / "waiting" / f"{digest}.json").write_bytes(b"{")
    assert waiting.oldest() is None
    assert Waiting(tmp_path / "nowhere", bytes_max=1).oldest() is None


@asynccontextmanager
async def far_end(folder: Path, answer: bytes, got: list[bytes]) -> AsyncIterator[HttpsEndpoint]:
    """A TLS server that takes one request and gives this answer."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    today = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "both.pem").write_bytes(pem + secret)
    server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_tls.load_cert_chain(folder / "both.pem")
    tls = ssl.create_default_context(cadata=pem.decode())

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        got.append(head)
        got.append(await reader.readexactly(size))
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_tls)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield HttpsEndpoint(f"https://localhost:{port}/pictures/", tls=tls)


@pytest.mark.parametrize(
    ("answer", "taken"),
    [
        (b"HTTP/1.1 201 Created\r\n\r\n", True),
        (b"HTTP/1.1 409 Conflict\r\n\r\n", True),
        (b"HTTP/1.1 503 Busy\r\n\r\n", False),
        (b"HTTP/1.1 2010\r\n\r\n", False),
        (b"garbage\r\n", False),
        (b"", False),
    ],
)
def test_picture_is_put_over_tls_and_only_a_clear_word_takes_it(
    answer: bytes, taken: bool, tmp_path: Path
) -> None:
    waiting = Waiting(tmp_path / "waiting", bytes_max=10**6)
    data = bytes(range(256)) * 1000
    digest = add(waiting, tmp_path, data)
    got: list[bytes] = []

    async def scenario() -> None:
        oldest = waiting.oldest()
        assert oldest is not None
        async with far_end(tmp_path, answer, got) as endpoint:
            await endpoint.put(*oldest)

    if taken:
        asyncio.run(scenario())
    else:
        with pytest.raises(UploadError):
            asyncio.run(scenario())
    assert got[0].startswith(f"PUT /pictures/{digest} HTTP/1.1\r\n".encode())
    assert got[1] == data


def test_far_end_that_is_not_there_or_not_trusted_takes_nothing(tmp_path: Path) -> None:
    waiting = Waiting(tmp_path / "waiting", bytes_max=10**6)
    add(waiting, tmp_path, b"x")

    async def scenario() -> None:
        oldest = waiting.oldest()
        assert oldest is not None
        with pytest.raises(UploadError, match="localhost"):
            await HttpsEndpoint("https://localhost:1/", tls=ssl.create_default_context()).put(*oldest)

    asyncio.run(scenario())
