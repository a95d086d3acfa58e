"""Where it is not known any more what was locked down, everything is, until somebody releases it."""

from pathlib import Path

import pytest

from edge.access.rights import FILE
from tests.edge.access.house import House, World, run


def downs(house: House) -> tuple[str, ...]:
    return house.status().lock_downs


def test_first_installation_is_locked_down_by_nothing_that_was_lost(tmp_path: Path) -> None:
    first = House(tmp_path, World())
    assert downs(first) == ()
    (tmp_path / FILE).write_bytes(b"rights that came meanwhile")
    again = House(tmp_path, World(), kept=first.kept)
    assert downs(again) == ()


def test_journal_that_is_gone_beside_rights_that_are_there_locks_down_until_released(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"rights")

    async def story(house: House) -> None:
        async with house.running():
            assert downs(house) == ("*",)
            told = {"on": True, "by": "@gateway", "reason": "state lost"}
            assert house.told("lock_down") == [("lock_down", "*", told)]
            await house.show("anna")
            assert house.reasons() == ["lock_down"]
            assert downs(House(tmp_path, World(), kept=dict(house.kept))) == ("*",), "a restart ends nothing"
            await house.access.release("*", by="17", reason="looked at")
            await house.show("anna")
            assert house.reasons() == ["lock_down", "granted"]

    house = House(tmp_path, World())
    run(story(house))
    assert downs(House(tmp_path, World(), kept=house.kept)) == ()


@pytest.mark.parametrize("whole", [True, False])
def test_state_that_cannot_be_read_locks_down(whole: bool, tmp_path: Path) -> None:
    assert downs(House(tmp_path, World(), kept={"access/state": b"{"}, whole=whole)) == ("*",)


def test_state_out_of_a_damaged_journal_may_be_old_and_locks_down(tmp_path: Path) -> None:
    first = House(tmp_path, World())
    assert downs(House(tmp_path, World(), kept=first.kept, whole=False)) == ("*",)


def test_journal_that_was_set_aside_locks_down_even_without_rights(tmp_path: Path) -> None:
    (tmp_path / "journal.db.damaged-1").touch()
    assert downs(House(tmp_path, World())) == ("*",)
