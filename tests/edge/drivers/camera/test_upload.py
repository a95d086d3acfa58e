"""Pictures wait in a bounded folder that survives restarts."""

import os
from pathlib import Path

from edge.drivers.camera.upload import Waiting


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
    assert [note.sha256 for _, note in waiting.oldest(5)] == [first, second]
    assert [note.sha256 for _, note in waiting.oldest(1)] == [first]
    assert [note.sha256 for _, note in waiting.oldest(5, but={first})] == [second]
    ((file, _),) = waiting.oldest(1)
    assert file.read_bytes() == b"one"
    waiting.remove(file)
    assert [note.sha256 for _, note in waiting.oldest(5)] == [second]


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
    assert waiting.oldest(5) == []
    second = add(waiting, tmp_path, b"two")
    (tmp_path / "waiting" / f"{second}.jpg").unlink()
    assert waiting.oldest(5) == []
    assert not list((tmp_path / "waiting").glob("*.json"))
    assert Waiting(tmp_path / "nowhere", bytes_max=1).oldest(5) == []
