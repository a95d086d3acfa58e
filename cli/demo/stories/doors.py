"""What stories see at doors: cards are held to readers, people come in, and reasons are told."""

import time

from cli.demo.rights import CARDS, FACILITY
from cli.demo.stories.teller import NotSeenError, Teller

_KINDS = ("access_granted", "access_refused")


async def shows(teller: Teller, person: str, door: str, *, expected: str, enters: bool = False) -> None:
    """Have a person hold their card to a door of the laboratory and see what is decided, with its reason."""
    since = time.time() - 1
    who = f"{person} at door '{door}'"
    await teller.do(f"lab-1/readers/{door}", f"card {FACILITY} {CARDS[person]}")
    told: list[str] = []

    async def decided() -> str | None:
        for one in await teller.events("lab-1", _KINDS, since):
            if one.subject == f"{door}/in" and one.data.get("person") == person:
                told.append(str(one.data["reason"]))
                detail = one.data.get("detail") or one.data.get("rule") or ""
                return f"{one.kind.removeprefix('access_')}: {one.data['reason']} {detail}".rstrip()
        return None

    await teller.see(who, decided)
    if told[0] != expected:
        raise NotSeenError(f"{who}: {told[0]}: expected {expected}")
    if enters:
        await teller.do(f"lab-1/pins/{door}", "enter")

        async def passed() -> str | None:
            found = await teller.events("lab-1", ("access_passed",), since)
            return "" if any(one.subject == f"{door}/in" for one in found) else None

        await teller.see("  the door was opened: passage is proved", passed)
