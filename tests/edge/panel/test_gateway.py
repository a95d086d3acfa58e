"""The real `heng edge` process, hub and network dead: card and PIN at its own page let an interlock go."""

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from cli.embedded.processes import free_port
from edge.credential import Credential, key_id
from edge.intake.senders import read_key
from edge.journal.reader import Reader
from provisioning.identity import GatewayIdentity
from rules.access import AccessRights, kept
from rules.access import document as rights
from rules.access.snapshot import snapshot_of
from rules.access.words import Subject
from simulators.devices.gpio import Relay, running_board
from simulators.devices.terminal import Terminal
from tests.edge.board_site import BoardSite, ended, write_settings
from tests.edge.gateway_site import HEAD, until
from wire.messages import Event
from wire.shadow import Revision

DOOR, RELAY, CONTACT, LAMP = 17, 4, 5, 6
KEY = bytes(range(32))
SETTINGS = (
    HEAD
    + """[panel]
port = {port}
language = "en"
reader = "terminal/entrance"
when_old = "honour"
[[interlock]]
name = "source"
title = "High voltage"
[[interlock.group]]
name = "door"
cause = [{{ name = "open", kind = "state", point = "gpio/door", normal = ["closed"] }}]
[[interlock.effect]]
kind = "inhibit_output"
target = "gpio/source"
[[regulation]]
name = "light"
output = "gpio/lamp"
otherwise = 1
[[device]]
driver = "gpio"
name = "board"
input = [{{ name = "door", kind = "door_contact", pin = 17 }}]
output = [
    {{ name = "source", kind = "relay", pin = 4, contact_pin = 5 }},
    {{ name = "lamp", kind = "relay", pin = 6 }},
]
[[device]]
driver = "terminal"
name = "terminals"
http = {{ address = "127.0.0.1", port = {terminal}, path = "/events" }}
sender = [{{ name = "entrance" }}]
map = {{ person = "/info/userId" }}
"""
)


def token(credential: Credential) -> str:
    return credential.token(KEY)


def known(gateway: str) -> bytes:
    """Rights as a gateway keeps them: Anna, who may handle every interlock, with a PIN."""
    now_ms = time.time_ns() // 1_000_000
    words = ("acknowledge", "reset", "enable")
    document = AccessRights(
        gateway=gateway,
        revision=Revision(1, 1),
        issued_at_ms=now_ms,
        max_age_s=86_400,
        key_id=key_id(KEY),
        time_zone="UTC",
        offsets=(rights.Offset(0, 0),),
        people=(rights.Person("17", "Anna Chen", pin=token(Credential("pin", "keypad", "2468"))),),
        credentials=(rights.Credential(token(Credential("terminal", "person", "118204")), "17"),),
        authorisations=tuple(
            rights.Authorisation(word, "17", Subject.ACTIVITY, f"interlock.{word}") for word in words
        ),
    )
    return kept(snapshot_of(document))


class Door:
    """Somebody at the panel."""

    def __init__(self, port: int, terminal: Terminal) -> None:
        self.http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", follow_redirects=True, trust_env=False
        )
        self.origin = {"origin": f"http://127.0.0.1:{port}"}
        self.terminal = terminal

    async def shows(self, text: str) -> str:
        """Wait until the page says so."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                page = (await self.http.get("/now")).text
            except httpx.TransportError:
                page = ""
            if text in page:
                return page
            await asyncio.sleep(0.05)
        raise AssertionError(f"{text!r} is not in {page}")

    async def ask(self, act: str, breach: str, pin: str) -> str:
        """Show the card and enter a PIN; returns the page that answers."""
        assert await self.terminal.identify("118204", "face") == 200
        card = ""
        while "Card read" not in card:
            card = (await self.http.get("/card")).text
        form = {"interlock": "source", "act": act, "breach": breach, "pin": pin}
        return (await self.http.post("/act", data=form, headers=self.origin)).text


async def story(site: BoardSite, port: int, terminal_port: int) -> None:
    folder, board = site.folder, site.board
    board.drive(DOOR, 0)
    gateway = await site.heng()
    await until(lambda: (folder / "data/terminals/entrance.key").exists())
    key = read_key(folder / "data/terminals", "entrance").decode()
    person = Door(port, Terminal("entrance", terminal_port, key))
    async with person.http:
        page = await person.shows("Acknowledge")
        found = re.search(r"breach=(\d+)", page)
        assert found
        assert "Done." not in await person.ask("acknowledge", found[1], "1111")
        said = await person.ask("acknowledge", found[1], "2468")
        assert "Done." in said, re.findall(r"<main.*</main>", said)
        await person.shows("Ready to reset")
        assert "Done." in await person.ask("reset", found[1], "2468")
        assert board.pins.level(RELAY) == 0
        assert "Done." in await person.ask("enable", found[1], "2468")
        await until(lambda: board.pins.level(RELAY) == 1)
        board.drive(DOOR, 1)
        await until(lambda: board.pins.level(RELAY) == 0)
        page = await person.shows("Tripped")
        assert "gpio/door" in page
        assert board.pins.level(LAMP) == 1
    gateway.terminate()
    assert await asyncio.wait_for(gateway.wait(), 20) == 0


def events(file: Path) -> list[Event]:
    with Reader(file) as journal:
        return [event for row in journal.pending() if row is not None for event in row.group.events]


@pytest.mark.slow
@pytest.mark.requirement("G-6.11e", "H-7.3.3.3")
def test_interlock_is_let_go_at_the_door_with_hub_and_network_dead(
    tmp_path: Path, gateway_identity: Callable[[str], GatewayIdentity]
) -> None:
    identity, port, terminal = gateway_identity("panel-1"), free_port(), free_port()
    write_settings(tmp_path, SETTINGS, identity, broker=free_port(), port=port, terminal=terminal)
    data = tmp_path / "data"
    data.mkdir()
    (data / "credential.key").write_bytes(KEY)
    (data / "credential.key").chmod(0o600)
    (data / "access-rights.json").write_bytes(known(identity.gateway))

    async def run() -> None:
        async with (
            running_board(tmp_path, [Relay(RELAY, CONTACT)]) as board,
            ended(BoardSite(folder=tmp_path, board=board)) as site,
        ):
            await story(site, port, terminal)

    asyncio.run(run())
    told = events(data / "journal.db")
    asked = [event.data for event in told if event.kind == "panel_asked"]
    assert [(data["act"], data["state"]) for data in asked] == [
        ("acknowledge", "refused"),
        ("acknowledge", "done"),
        ("reset", "done"),
        ("enable", "done"),
    ]
    assert asked[0]["reason"] == "factor_wrong"
    assert {data["person"] for data in asked} == {"17"}
    assert [event.data["by"] for event in told if event.kind == "interlock_enabled"] == ["17"]
    assert [event.data["value"] for event in told if event.kind == "regulation_adjusted"] == ["1"]
    assert b"2468" not in b"".join(file.read_bytes() for file in data.glob("journal*"))
