"""Pictures wait in a bounded folder that survives restarts."""

import os
from pathlib import Path

import pytest

from edge.drivers.camera.upload import Waiting


def picture(folder: Path, data: bytes) -> Path:
    file = folder / "picture.part"
    file.write_bytes(data)
    return file


def waiting_in(folder: Path, bytes_max: int = 10**6) -> Waiting:
    return Waiting(folder, camera="cam", bytes_max=bytes_max)


def add(waiting: Waiting, folder: Path, data: bytes) -> str:
    note = waiting.add(picture(folder, data), kind="timer", reason="door \u95e8", tick=1, utc_ms=None)
    return note.sha256


def test_pictures_wait_over_restarts_and_the_oldest_comes_first(tmp_path: Path) -> None:
    folder = tmp_path / "waiting"
    first = add(waiting_in(folder), tmp_path, b"one")
    os.utime(folder / f"{first}.json", (1, 1))
    second = add(waiting_in(folder), tmp_path, b"two")
    waiting = waiting_in(folder)
    assert [note.sha256 for _, note in waiting.oldest(5)] == [first, second]
    assert [note.sha256 for _, note in waiting.oldest(1)] == [first]
    assert [note.sha256 for _, note in waiting.oldest(5, but={first})] == [second]
    ((file, _),) = waiting.oldest(1)
    assert file.read_bytes() == b"one"
    waiting.remove(file)
    assert [note.sha256 for _, note in waiting.oldest(5)] == [second]


def test_full_folder_lets_the_oldest_go_and_names_them(tmp_path: Path) -> None:
    waiting = waiting_in(tmp_path / "waiting", 2500)
    digests = [add(waiting, tmp_path, bytes([n]) * 1000) for n in range(3)]
    for age, digest in enumerate(digests):
        os.utime(tmp_path / "waiting" / f"{digest}.json", (age, age))
    assert waiting.prune() == digests[:1]
    assert waiting.prune() == []
    assert not (tmp_path / "waiting" / f"{digests[0]}.jpg").exists()


@pytest.mark.parametrize("left", [b"", b"{", b"\xff", None])
def test_picture_whose_note_was_lost_in_a_power_cut_is_kept(left: bytes | None, tmp_path: Path) -> None:
    folder = tmp_path / "waiting"
    digest = add(waiting_in(folder), tmp_path, b"one")
    note = folder / f"{digest}.json"
    note.unlink() if left is None else note.write_bytes(left)
    (folder / "begun.part").write_bytes(b"x")
    waiting = waiting_in(folder)
    waiting.mend()
    ((file, found),) = waiting.oldest(5)
    assert (file.read_bytes(), found.sha256, found.bytes) == (b"one", digest, 3)
    assert (found.camera, found.kind, found.utc_ms) == ("cam", "", None)
    assert waiting.prune() == []
    assert sorted(path.name for path in folder.iterdir()) == [f"{digest}.jpg", f"{digest}.json"]


def test_picture_that_a_power_cut_damaged_is_named_once(tmp_path: Path) -> None:
    folder = tmp_path / "waiting"
    waiting = waiting_in(folder)
    first, second, third = (add(waiting, tmp_path, data) for data in (b"one", b"two", b"three"))
    (folder / f"{first}.json").write_bytes(b"")
    (folder / f"{first}.jpg").write_bytes(b"")
    (folder / f"{second}.jpg").unlink()
    assert [note.sha256 for _, note in waiting.oldest(5)] == [third]
    assert sorted(waiting.prune()) == sorted([first, second])
    assert waiting.prune() == []
    assert {path.stem for path in folder.iterdir()} == {third}


def test_picture_its_note_and_their_names_are_on_the_disk_when_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    monkeypatch.setattr(os, "fsync", fsync)
    digest = add(waiting_in(tmp_path / "waiting"), tmp_path, b"one")
    assert synced == ["picture.part", f"{digest}.part", "waiting"]


def test_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    waiting = waiting_in(tmp_path / "nowhere", 1)
    waiting.mend()
    assert waiting.oldest(5) == []
    assert waiting.prune() == []
