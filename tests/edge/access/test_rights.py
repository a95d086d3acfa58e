"""Rights are taken over whole or refused whole, are on the disk before they let anybody in, and come back."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from edge.access.rights import FILE, RightsDesk
from edge.credential import KEY_FILE
from rules.access import AccessRights, Revocation, delta_between
from rules.access.snapshot import normalised
from tests.edge.access.house import KEY, World, card_of, known
from wire.messages import Scalar
from wire.shadow import Revision

encode = msgspec.json.encode


class Desk:
    """One gateway's rights, and what was told of them."""

    def __init__(self, folder: Path, *, retry_s: float = 5.0) -> None:
        (folder / KEY_FILE).write_bytes(KEY)
        self.events: list[tuple[str, dict[str, Scalar]]] = []
        self.desk = RightsDesk(
            "gw-1",
            folder,
            tell=lambda kind, data, _: self.events.append((kind, dict(data))),
            retry_s=retry_s,
        )

    def take(self, *bodies: bytes) -> None:
        """Begin, take these, end."""

        async def story() -> None:
            if not self.desk.key:
                await self.desk.begin()
            for body in bodies:
                await self.desk.take(body)

        asyncio.run(story())

    @property
    def revision(self) -> tuple[int, int] | None:
        found = self.desk.now().revision
        return None if found is None else found.order

    def alive(self, person: str) -> bool:
        snapshot = self.desk.snapshot
        found = None if snapshot is None else snapshot.credential(card_of(person).token(KEY))
        return found is not None and found.state == "active"


def document(number: int = 1) -> AccessRights:
    return msgspec.structs.replace(known(World()), revision=Revision(1, number))


def revocation(number: int, person: str = "anna") -> bytes:
    token = card_of(person).token(KEY)
    return encode(
        Revocation(gateway="gw-1", revision=Revision(1, number), issued_at_ms=0, credentials=(token,))
    )


def test_snapshot_is_in_force_and_comes_back_after_a_restart(tmp_path: Path) -> None:
    first = Desk(tmp_path)
    first.take(encode(document()))
    assert first.revision == (1, 1)
    assert first.alive("anna")
    now = first.desk.now()
    assert (now.refused, now.refusal, now.faults, len(now.digest)) == (None, "", (), 64)
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    again = Desk(tmp_path)
    again.take()
    assert again.revision == (1, 1)
    assert again.desk.now().digest == now.digest


def test_delta_and_revocation_count_and_outlast_a_restart(tmp_path: Path) -> None:
    old = normalised(document())
    new = msgspec.structs.replace(old, revision=Revision(1, 2), groups=())
    new = msgspec.structs.replace(new, rights=tuple(one for one in old.rights if not one.groups))
    delta = delta_between(old, normalised(new))
    assert delta is not None
    desk = Desk(tmp_path)
    desk.take(encode(old), encode(delta), revocation(3))
    assert desk.revision == (1, 3), "what is acknowledged: everything up to it is in force"
    assert not desk.alive("anna")
    assert desk.alive("ben")
    again = Desk(tmp_path)
    again.take()
    assert again.revision == (1, 3)
    assert not again.alive("anna")


def test_revocation_behind_one_that_was_missed_counts_and_acknowledges_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.take(encode(document()), revocation(3))
    assert not desk.alive("anna")
    assert desk.revision == (1, 1)


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (b"{", "malformed: body: "),
        (encode({"type": "snapshot"}), "malformed: body: "),
        (encode(msgspec.structs.replace(document(2), gateway="gw-2")), "other_gateway: gateway: gw-2"),
        (encode(msgspec.structs.replace(document(2), zones=())), "contradictory: portals "),
        (
            encode(msgspec.structs.replace(document(2), key_id="f" * 16)),
            "other_key: key: ffffffffffffffff: expected ",
        ),
        (encode(msgspec.structs.replace(document(), max_age_s=5)), "contradictory: revision: 1.1 with other"),
    ],
)
def test_what_is_refused_leaves_what_was_in_force_and_says_why(
    body: bytes, refusal: str, tmp_path: Path
) -> None:
    desk = Desk(tmp_path)
    desk.take(encode(document()), body)
    assert desk.revision == (1, 1)
    assert desk.alive("anna")
    assert desk.desk.now().refusal.startswith(refusal)
    assert desk.events[-1][0] == "rights_refused"
    assert str(desk.events[-1][1]["reason"]).startswith(refusal)
    desk.take(encode(document(4)))
    assert (desk.revision, desk.desk.now().refusal) == ((1, 4), "")


def test_what_the_broker_still_keeps_from_before_is_no_fault(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.take(encode(document(2)), encode(document(1)), encode(document(2)))
    assert desk.revision == (1, 2)
    assert desk.desk.now().refusal == ""
    assert [kind for kind, _ in desk.events] == ["rights_taken"]


def test_file_that_is_damaged_is_no_rights_at_all(tmp_path: Path) -> None:
    Desk(tmp_path).take(encode(document()))
    file = tmp_path / FILE
    file.write_bytes(file.read_bytes()[:-20])
    desk = Desk(tmp_path)
    desk.take()
    assert desk.desk.snapshot is None
    assert [kind for kind, _ in desk.events] == ["rights_lost"]
    assert desk.desk.now().refusal.startswith("malformed")
    desk.take(encode(document()))
    assert desk.revision == (1, 1)


def test_rights_that_the_disk_does_not_take_permit_nothing_until_it_does(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    blocked = tmp_path / f"{FILE}.new"
    blocked.mkdir()
    desk.take(encode(document()))
    assert desk.revision is None
    assert not desk.alive("anna")
    assert "would come back with a restart" in desk.desk.now().faults[0]
    asyncio.run(desk.desk.keep_again())
    assert [kind for kind, _ in desk.events] == ["rights_not_kept"], "told once"
    blocked.rmdir()
    asyncio.run(desk.desk.keep_again())
    assert desk.revision == (1, 1)
    assert desk.desk.now().faults == ()
    assert desk.alive("anna")
    again = Desk(tmp_path)
    again.take()
    assert again.revision == (1, 1)


def test_revocation_counts_at_once_whatever_the_disk_does_not_take(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.take(encode(document()))
    blocked = tmp_path / f"{FILE}.new"
    blocked.mkdir()
    desk.take(encode(document(2)), revocation(3))
    assert not desk.alive("anna")
    assert desk.alive("ben")
    assert desk.revision == (1, 1), "the newer rights are not in force"
    desk.take(revocation(4, "ben"))
    assert not desk.alive("ben")
    blocked.rmdir()
    asyncio.run(desk.desk.keep_again())
    assert desk.revision == (1, 4)
    assert not desk.alive("anna")
    assert not desk.alive("ben")


def test_delta_to_what_is_in_force_takes_the_place_of_what_the_disk_did_not_take(tmp_path: Path) -> None:
    old = normalised(document())
    desk = Desk(tmp_path)
    desk.take(encode(old))
    blocked = tmp_path / f"{FILE}.new"
    blocked.mkdir()
    new = normalised(msgspec.structs.replace(old, revision=Revision(1, 3)))
    delta = delta_between(old, new)
    desk.take(encode(document(2)), encode(delta))
    blocked.rmdir()
    asyncio.run(desk.desk.keep_again())
    assert desk.revision == (1, 3)
    assert desk.desk.now().refusal == ""


def test_disk_that_refused_is_tried_again_while_nothing_comes(tmp_path: Path) -> None:
    async def story() -> None:
        told = asyncio.Event()
        desk.desk.changed.add(lambda: told.set() if desk.events else None)
        running = asyncio.create_task(desk.desk.run())
        desk.desk.came(encode(document()))
        await told.wait()
        assert not desk.alive("anna")
        await asyncio.to_thread(blocked.rmdir)
        while not desk.alive("anna"):
            told.clear()
            await told.wait()
        running.cancel()

    desk = Desk(tmp_path, retry_s=0.05)
    blocked = tmp_path / f"{FILE}.new"
    blocked.mkdir()
    asyncio.run(asyncio.wait_for(story(), 20))


def test_more_than_may_wait_is_told_as_refused(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    body = bytes(8 * 1024 * 1024)
    for _ in range(6):
        desk.desk.came(body)
    assert desk.desk.now().refusal == "too_many: 4 changes wait, 33554432 bytes: one was left out"
    assert [kind for kind, _ in desk.events] == ["rights_refused"], "told once"


def test_key_that_is_unfit_lets_nobody_in_and_is_told(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(Exception, match="expected 32"):
        asyncio.run(desk.desk.run())
    assert "key of credentials: credential.key: 5 bytes" in desk.desk.now().faults[0]


def test_what_the_hub_did_not_sign_is_told_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.take(encode(document()))
    for _ in range(3):
        desk.desk.spoiled("down/rights: expected the signature of a pinned hub key")
    assert desk.desk.now().refusal == "unsigned: down/rights: expected the signature of a pinned hub key"
    assert [kind for kind, _ in desk.events] == ["rights_taken", "rights_refused"]
    assert desk.alive("anna")
