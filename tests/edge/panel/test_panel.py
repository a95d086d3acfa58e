"""The panel: what it shows is escaped, in both languages; what it takes is a card, a PIN and one act."""

import asyncio
import gc
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any

import pytest
from msgspec.structs import replace

from edge.control.interlocks import Acted
from edge.credential import Credential, Presented
from edge.panel.asking import PER_MINUTE, Asking, Outcome, Sources, Wish
from edge.panel.http import (
    BODY_BYTES_MAX,
    FIELDS_MAX,
    FORM,
    POLICY,
    Answer,
    BadRequest,
    Place,
    Request,
    Server,
)
from edge.panel.room import Panel
from edge.panel.words import (
    CAUSES,
    EFFECTS,
    LANGUAGES,
    OWN,
    PHASES,
    REASONS,
    WHY,
    Language,
    duration,
    own,
    reason,
)
from rules.access import Snapshot
from rules.access.document import Authorisation
from rules.access.document import Credential as KnownCredential
from rules.access.roll_call import Called
from rules.access.words import Subject
from rules.interlock.inputs import Asked, Right
from rules.interlock.model import EffectKind
from rules.interlock.reasons import Reason
from rules.interlock.state import CauseState, Phase, Why
from tests.rules.access.world import KEY, NOW, STEADY, World
from wire.control import (
    CauseNow,
    ControlStatus,
    EffectNow,
    GroupNow,
    InterlockNow,
    PortalNow,
    UnmetNow,
    VoteNow,
)
from wire.messages import Scalar
from wire.settings.panel import PanelSection

SECRET = bytes(32)
CARD = Credential("card", "raw32", "a1b2c3d4")
BAD = "<script>alert(1)</script>"


def known() -> Snapshot:
    """Anna has this card and the PIN 2468, and may acknowledge and reset."""
    world = World()
    world.put(KnownCredential(CARD.token(SECRET), "anna"))
    world.change(
        "people",
        "anna",
        pin=Credential("pin", "keypad", "2468").token(SECRET),
        duress_pin=Credential("pin", "keypad", "2469").token(SECRET),
    )
    for right in ("acknowledge", "reset"):
        world.put(Authorisation(right, "anna", Subject.ACTIVITY, f"interlock.{right}"))
    return world.snapshot()


class Stand:
    """A panel and what it speaks to."""

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self.asked: list[tuple[str, Asked]] = []
        self.told: list[tuple[str, Mapping[str, Scalar], str]] = []
        self.kept: dict[str, bytes] = {}
        self.tick = 0
        self.acted = Acted()
        self.snapshot = snapshot or known()
        self.asking = self.made()

    def made(self) -> Asking:
        async def act(name: str, asked: Asked) -> Acted:
            self.asked.append((name, asked))
            return self.acted

        async def settle() -> bool:
            return True

        sources = Sources(
            snapshot=lambda: self.snapshot,
            key=lambda: (SECRET, KEY),
            act=act,
            tell=lambda kind, data, subject: self.told.append((kind, data, subject)),
            remember=self.kept.__setitem__,
            recall=self.kept.get,
            settle=settle,
            now_tick=lambda: self.tick,
            utc_ms=lambda: NOW,
            steady_ms=lambda: STEADY + self.tick * 10,
        )
        return Asking(sources, card_s=30, honour_old=False)

    def card(self, card: Credential = CARD, *, doubt_ms: int | None = None) -> None:
        self.asking.presented(Presented("door/front", card, 0, doubt_ms))

    def ask(self, pin: str = "2468", act: str = "reset") -> Outcome:
        return asyncio.run(self.asking.ask(Wish("room-2", act, 3, pin)))


def test_card_and_pin_are_asked_of_the_interlock_in_the_name_of_the_person() -> None:
    stand = Stand()
    stand.card()
    assert stand.ask() == Outcome()
    ((name, asked),) = stand.asked
    assert (name, asked.by.id, asked.by.rights) == ("room-2", "anna", {Right.ACKNOWLEDGE, Right.RESET})
    ((kind, data, subject),) = stand.told
    assert (kind, subject, data["state"], data["person"]) == ("panel_asked", "room-2", "done", "anna")
    assert "2468" not in str(stand.told)
    assert "a1b2c3d4" not in str(stand.told)


def test_card_counts_for_one_pin_and_for_its_time() -> None:
    stand = Stand()
    assert stand.ask() == Outcome("card_awaited")
    stand.card()
    stand.tick = 3000
    assert stand.ask() == Outcome("card_awaited")
    stand.card(doubt_ms=5000)
    assert stand.ask() == Outcome("card_awaited")
    stand.card(Credential("pin", "keypad", "2468"))
    assert stand.ask() == Outcome("card_awaited")
    stand.card()
    assert stand.ask("1111") == Outcome("factor_wrong")
    assert stand.ask() == Outcome("card_awaited")
    assert stand.asked == []


@pytest.mark.parametrize("pin", ["", "12", "1" * 17, "12a4", "１２３４", "-123"])
def test_what_is_no_pin_costs_no_attempt(pin: str) -> None:
    stand = Stand()
    stand.card()
    assert stand.ask(pin) == Outcome("pin_shape")
    assert stand.ask() == Outcome()


def test_wrong_pins_lock_the_person_out_also_over_a_restart() -> None:
    stand = Stand()
    for _ in range(5):
        stand.card()
        assert stand.ask("1111") == Outcome("factor_wrong")
    stand.asking = stand.made()
    stand.card()
    assert stand.ask() == Outcome("attempts")
    assert [data["reason"] for _, data, _ in stand.told] == ["factor_wrong"] * 5 + ["attempts"]


def test_trying_too_often_is_refused_whosever_card_it_is() -> None:
    stand = Stand()
    for _ in range(PER_MINUTE):
        stand.ask()
    stand.card()
    for _ in range(50):
        assert stand.ask() == Outcome("too_often")
    assert len(stand.told) == PER_MINUTE + 1  # one who tries without end does not fill the journal
    stand.tick = 6000
    stand.card()
    assert stand.ask() == Outcome()


def test_duress_is_told_and_nothing_at_the_panel_shows_it() -> None:
    stand = Stand()
    stand.card()
    assert stand.ask("2469") == Outcome()
    assert stand.told[0][1]["duress"] is True


@pytest.mark.parametrize(
    ("acted", "outcome"),
    [
        (Acted(refused=Reason.NO_RIGHT), Outcome("no_right")),
        (Acted(refused=Reason.OTHER_BREACH), Outcome("other_breach")),
        (Acted(failed="the disk takes nothing now"), Outcome("failed", "the disk takes nothing now")),
    ],
)
def test_nothing_is_called_done_that_was_not(acted: Acted, outcome: Outcome) -> None:
    stand = Stand()
    stand.acted = acted
    stand.card()
    assert stand.ask() == outcome
    assert stand.told[0][1]["state"] != "done"


# --- the page -----------------------------------------------------------------------------------------

TRIPPED = InterlockNow(
    name="room-2",
    title=BAD,
    rule="f",
    phase="tripped",
    breach=3,
    tripped_at_ms=NOW - 90_000,
    first_out=(BAD, "@restart"),
    causes=(CauseNow(name=BAD, group=BAD, words=BAD, state="voting", votes=True, value=BAD),),
    groups=(GroupNow(name=BAD, needed=1, of=1, votes=1),),
    effects=(EffectNow(kind="lock_entry", target=BAD, safe=True, confirmed=False),),
    unmet=(UnmetNow(reason="off_delay", cause=BAD, remaining_s=61.0),),
)
STATUS = ControlStatus(
    gateway="lab-1",
    boot=bytes(16),
    tick=0,
    at_ms=NOW,
    interlocks=(TRIPPED,),
    portals=(PortalNow(name=BAD, locked_by=(BAD, "lock_down"), forced=True),),
    lock_downs=("*",),
)


def panel(status: ControlStatus = STATUS, stand: Stand | None = None, **settings: Any) -> Panel:
    section = PanelSection(**{"reader": "door/front", "language": "en", **settings})
    return Panel(
        section,
        gateway="lab-1",
        asking=(stand or Stand()).asking,
        status=lambda: status,
        roll_call=lambda: [Called(person="7", name=BAD, zone=BAD, since_ms=NOW - 5000, doubtful=True)],
    )


def get(one: Panel, path: str, **query: str) -> Answer:
    return asyncio.run(one.handle(Request("GET", path, query, {}, {})))


def test_everything_shown_is_escaped_and_said_by_word_and_shape() -> None:
    text = get(panel(), "/").body.decode()
    assert BAD not in text
    assert text.count("&lt;script&gt;") >= 8
    for words in ("▲ Tripped", "the gateway was started again", "1 min 1 s", "not confirmed", "forced"):
        assert words in text
    assert "1 min 30 s" in text
    assert not re.search(r'<(?!script type="module" src)[^>]* (?:style|on[a-z]+)="', text)
    assert f"act=acknowledge&amp;breach={TRIPPED.breach}" in text


def test_what_is_not_steady_is_named_with_value_and_limit() -> None:
    words = "spread 0.41 °C is above 0.4 °C"
    outside = UnmetNow(reason="not_steady", cause="t", remaining_s=20.0, words=words)
    anew = UnmetNow(reason="steadying", cause="u", remaining_s=9.0, words=words)
    status = replace(STATUS, interlocks=(replace(TRIPPED, unmet=(outside, anew)),))
    text = get(panel(status), "/").body.decode()
    assert f"t: not steady: {words}, then 20 s inside without a break" in text
    assert f"9 s left</strong> (begun anew after: {words})" in text
    assert "极差 0.41 °C 高于 0.4 °C" in get(panel(status, language="zh"), "/").body.decode()


def test_cause_is_said_in_the_language_of_the_panel() -> None:
    watched = CauseNow(
        name="hot",
        group="air",
        words="room-2/air/temperature above 24 °C for 30 s",
        state="voting",
        votes=True,
    )
    groups = (GroupNow(name="air", needed=1, of=1, votes=1),)
    votes = (VoteNow(name="hot", reason="stale", words="room-2/air/temperature: no good reading for 15 s"),)
    now = replace(TRIPPED, causes=(watched,), groups=groups, first_out=("hot",), first_votes=votes, unmet=())
    status = replace(STATUS, interlocks=(now,))
    text = get(panel(status, language="zh"), "/").body.decode()
    assert text.count("room-2/air/temperature 高于 24 °C 持续 30 s") == 1
    assert "room-2/air/temperature: 已 15 s 没有有效读数" in text
    assert "above" not in text
    assert "room-2/air/temperature above 24 °C for 30 s" in get(panel(status), "/").body.decode()


@pytest.mark.parametrize(
    ("phase", "acknowledged", "act"),
    [
        ("healthy", "", ""),
        ("tripped", "", "acknowledge"),
        ("tripped", "17", ""),
        ("ready_to_reset", "", "acknowledge"),
        ("ready_to_reset", "17", "reset"),
        ("reset", "", "enable"),
        ("starting", "", ""),
    ],
)
def test_page_offers_the_next_act_and_no_other(phase: str, acknowledged: str, act: str) -> None:
    now = replace(TRIPPED, phase=phase, acknowledged_by=acknowledged)
    text = get(panel(replace(STATUS, interlocks=(now,))), "/now").body.decode()
    assert re.findall(r"act=([a-z]+)", text) == ([act] if act else [])
    alone = get(panel(replace(STATUS, interlocks=(now,)), reader=None), "/now").body.decode()
    assert "act=" not in alone
    assert own("no_reader", "en") in alone


def test_panel_shows_what_its_settings_name_alone() -> None:
    text = get(panel(interlocks=["another"], portals=["another"], roll_call=False), "/now").body.decode()
    assert "Tripped" not in text
    assert own("inside", "en") not in text
    assert own("no_interlocks", "en") in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_the_rules_is_said_in_both_languages(language: Language) -> None:
    tables: list[tuple[Mapping[str, tuple[str, str]], type]] = [
        (PHASES, Phase),
        (WHY, Why),
        (CAUSES, CauseState),
        (REASONS, Reason),
        (EFFECTS, EffectKind),
    ]
    for table, words in tables:
        assert set(table) == set(words)
    place = LANGUAGES.index(language)
    for table in (*(table for table, _ in tables), OWN):
        for key, pair in table.items():
            if key == "language":
                continue
            chinese = any(letter >= "\u4e00" for letter in pair[1])
            assert pair[1 - place], key
            assert chinese or key == "of", key
            assert not any(letter >= "\u4e00" for letter in pair[0]), key
    assert reason("credential_lost", language) not in ("", "credential_lost")
    assert duration(3_725, language) == {"en": "1 h 2 min", "zh": "1 小时 2 分"}[language]


def test_language_is_chosen_and_kept() -> None:
    one = panel()
    chosen = get(one, "/", lang="zh")
    assert chosen.status == 303
    assert "lang=zh" in dict(chosen.headers)["set-cookie"]
    request = Request("GET", "/now", {}, {}, {"cookie": "a=b; lang=zh"})
    assert "已触发" in asyncio.run(one.handle(request)).body.decode()
    assert "Tripped" in get(one, "/now").body.decode()


def test_act_is_asked_by_a_form_and_its_outcome_has_a_page() -> None:
    stand = Stand()
    one = panel(stand=stand)
    form = get(one, "/act", interlock="room-2", act="reset", breach="3").body.decode()
    assert 'type="password"' in form
    assert own("card_none", "en") in form
    stand.card()
    assert own("card_there", "en") in get(one, "/card").body.decode()
    fields = {"interlock": "room-2", "act": "reset", "breach": "3", "pin": "2468"}
    answer = asyncio.run(one.handle(Request("POST", "/act", {}, fields, {})))
    assert answer.status == 303
    assert own("done", "en") in get(one, dict(answer.headers)["location"]).body.decode()
    assert get(one, "/said/99").status == 303


def reachable(thing: object) -> Iterator[object]:
    """Yield everything that a thing keeps, but classes, functions and modules."""
    waiting, seen = [thing], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) not in seen and not isinstance(one, type | FunctionType | ModuleType):
            seen.add(id(one))
            yield one
            waiting += gc.get_referents(one)


def test_panel_keeps_no_pin() -> None:
    one = panel(stand=Stand())
    fields = {"interlock": "room-2", "act": "reset", "breach": "3", "pin": "97531"}
    asyncio.run(one.handle(Request("POST", "/act", {}, fields, {})))
    fields.clear()
    assert "97531" not in [kept for kept in reachable(vars(one)["_said"]) if isinstance(kept, str)]


@pytest.mark.parametrize(
    ("method", "path", "fields", "status"),
    [
        ("GET", "/etc/passwd", {}, 404),
        ("POST", "/", {}, 405),
        ("GET", "/act", {"act": "reset", "breach": "x", "interlock": "room-2"}, 400),
        ("GET", "/act", {"act": "bypass", "breach": "3", "interlock": "room-2"}, 400),
        ("GET", "/act", {"act": "reset", "breach": "3", "interlock": "another"}, 404),
        ("POST", "/act", {"act": "reset", "breach": "9" * 40, "interlock": "room-2"}, 400),
        ("POST", "/act", {}, 400),
    ],
)
def test_what_is_not_there_or_makes_no_sense_is_refused(
    method: str, path: str, fields: dict[str, str], status: int
) -> None:
    request = Request(method, path, fields, fields, {})
    with pytest.raises(BadRequest) as refused:
        asyncio.run(panel().handle(request))
    assert refused.value.status == status


# --- the server ---------------------------------------------------------------------------------------


def served(asks: Callable[[int], Awaitable[None]], place: Place | None = None) -> list[Request]:
    """Serve while somebody asks; returns what came through."""
    came: list[Request] = []

    async def handle(request: Request) -> Answer:
        came.append(request)
        return Answer(200, b"hello")

    async def story() -> None:
        server = Server(place or Place(address="127.0.0.1", port=0), handle)
        running = asyncio.create_task(server.run())
        await asyncio.wait_for(server.listens.wait(), 5)
        await asks(server.port)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(story())
    return came


async def raw(port: int, text: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text.replace("\n", "\r\n").replace("PORT", str(port)).encode("latin-1"))
    answer = b""
    try:
        async with asyncio.timeout(20):
            answer = await reader.read(4096)
    except ConnectionResetError:
        pass
    writer.close()
    return answer.decode("latin-1")


GOOD_POST = (
    "POST /act HTTP/1.1\nHost: 127.0.0.1:PORT\nOrigin: http://127.0.0.1:PORT\n"
    f"Content-Type: {FORM}\nContent-Length: 3\n\na=b"
)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("GET / HTTP/1.1\nHost: 127.0.0.1:PORT\n\n", 200),
        ("GET / HTTP/1.1\nHost: localhost:PORT\n\n", 200),
        (GOOD_POST, 200),
        ("GET / HTTP/1.1\nHost: evil.example\n\n", 421),
        ("GET / HTTP/1.1\nHost: evil.example:PORT\n\n", 421),
        ("HEAD / HTTP/1.1\nHost: 127.0.0.1:PORT\n\n", 405),
        ("PUT / HTTP/1.1\nHost: 127.0.0.1:PORT\nContent-Length: 0\n\n", 405),
        (GOOD_POST.replace("Origin: http://127.0.0.1:PORT\n", ""), 403),
        (GOOD_POST.replace("Origin: http://127.0.0.1:PORT", "Origin: null"), 403),
        (GOOD_POST.replace("Origin: http://127.0.0.1:PORT", "Origin: http://evil.example"), 403),
        (GOOD_POST.replace("Origin:", "Sec-Fetch-Site: cross-site\nOrigin:"), 403),
        (GOOD_POST.replace(FORM, "application/json"), 415),
        (GOOD_POST.replace("a=b", "a=1&a=2").replace("Length: 3", "Length: 7"), 400),
        (GOOD_POST.replace("a=b", "a=%ff").replace("Length: 3", "Length: 5"), 400),
        (
            GOOD_POST.replace("a=b", "&".join(f"f{n}=1" for n in range(FIELDS_MAX + 1))).replace(
                "Length: 3", f"Length: {len('&'.join(f'f{n}=1' for n in range(FIELDS_MAX + 1)))}"
            ),
            400,
        ),
        (GOOD_POST.replace("Length: 3", f"Length: {BODY_BYTES_MAX + 1}") + "x" * BODY_BYTES_MAX, 413),
        ("GET / HTTP/1.1\nHost: 127.0.0.1:PORT\nX: " + "y" * 20_000 + "\n\n", 431),
        ("nonsense\n\n", 400),
    ],
)
def test_server_takes_what_its_own_page_sends_and_nothing_else(text: str, status: int) -> None:
    answers: list[str] = []

    async def asks(port: int) -> None:
        answers.append(await raw(port, text))

    came = served(asks)
    assert answers[0].startswith(f"HTTP/1.1 {status} ")
    assert len(came) == (status == 200)
    assert f"content-security-policy: {POLICY}" in answers[0]


def test_strangers_are_not_answered_at_all() -> None:
    lets = Place(address="192.168.20.1", port=80, peers=("192.168.20.0/24",)).lets
    assert [lets(one) for one in ("192.168.20.7", "127.0.0.1", "192.168.21.7", "10.0.0.1", "nobody")] == [
        *(True, True, False, False, False)
    ]
    hosts = Place(address="192.168.20.1", port=80, names=("panel",)).hosts
    assert hosts == {"192.168.20.1", "192.168.20.1:80", "panel", "panel:80"}
