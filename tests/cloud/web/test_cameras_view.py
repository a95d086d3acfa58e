"""Cameras, pictures and wishes in words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cloud.store.camera_timeline import Picture, Segment, Timeline
from cloud.store.cameras import Camera
from cloud.store.media_wishes import Wish
from cloud.store.sites import Site
from cloud.web.cameras_view import camera_view, cards_of, other_parts, size_text, wishes_of, worst_first
from cloud.web.language import language

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EN, ZH = language("en"), language("zh")
CAMERA = Camera(
    id=7,
    site_id=1,
    site="lab-1",
    gateway="gateway-1",
    device="cam",
    prefix="room-1/camera",
    state="recording",
    since_at=None,
    cause=None,
    reason="",
    heartbeat_at=NOON,
    heartbeat_s=10.0,
    live=True,
)
SITE = Site(
    id=1,
    organisation="institute",
    name="lab-1",
    title="Laboratory",
    kind="laboratory",
    time_zone="Asia/Shanghai",
    latitude_e9=None,
    longitude_e9=None,
    points=3,
    gateways=1,
    gateways_online=1,
    last_observed_at=NOON,
)
PICTURE = Picture(NOON, "stored", "after", "door_opened door/entry", "ab" * 32, 1234, 5, None, None)
WISH = Wish(3, NOON, NOON + timedelta(minutes=1), NOON, "waiting", None, None, None, "")
PART = Segment(
    NOON + timedelta(seconds=55),
    NOON + timedelta(seconds=65),
    "cd" * 32,
    2_500_000,
    "video/mp2t",
    True,
    None,
    None,
)


def view(*, unheard: bool = False, has_listener: bool = True, **more: object):
    camera = replace(CAMERA, **more)
    return camera_view(
        camera,
        site=SITE,
        rooms=["Calibration room"],
        newest=None,
        unheard=unheard,
        has_listener=has_listener,
        language=EN,
    )


def timeline(*wishes: Wish, segments: tuple[Segment, ...] = ()) -> Timeline:
    return Timeline(7, NOON, NOON + timedelta(hours=1), [], [], False, list(segments), list(wishes))


@pytest.mark.parametrize(
    ("more", "kind", "word"),
    [
        ({}, "good", "Recording now"),
        ({"state": "frozen"}, "late", "Picture frozen"),
        ({"state": "silent"}, "bad", "Silent"),
        ({"state": "silent", "heartbeat_at": None}, "unmonitored", "Never heard"),
    ],
)
def test_state_is_a_shape_and_a_word(more: dict[str, object], kind: str, word: str) -> None:
    state = view(**more).state
    assert (state.kind, state.word) == (kind, word)


def test_silent_camera_says_why_and_since_when() -> None:
    told = view(state="silent", cause="bus", reason="no answer", since_at=NOON).why
    assert told is not None
    assert (told.cause, told.reason.text, told.since_ms) == ("bus", "no answer", NOON.timestamp() * 1000)
    untold = view(state="silent", unheard=True).why
    assert untold is not None
    assert untold.cause == "gateway suspected offline"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"live": True}, ""),
        ({"live": False, "state": "silent"}, "No live view while the camera is silent."),
        ({"live": False}, "No live view: the gateway is not connected for it."),
        ({"live": False, "has_listener": False}, "No live view: this hub has no media listener."),
    ],
)
def test_live_view_that_cannot_be_had_says_why(more: dict[str, object], why: str) -> None:
    assert view(**more).no_live == why


def test_what_is_wrong_stands_first() -> None:
    views = [view(), view(state="frozen"), view(state="silent")]
    assert [one.state.word for one in worst_first(views)] == ["Silent", "Picture frozen", "Recording now"]


@pytest.mark.parametrize(
    ("state", "event_id", "word", "is_here"),
    [
        ("stored", 5, "Stored, hash in evidence", True),
        ("awaited", 5, "In evidence, not here yet", False),
        ("dropped", 5, "In evidence, dropped at the gateway: no room", False),
        ("without_event", None, "Here, not in evidence", True),
        ("deleted", 5, "Deleted here, in evidence", False),
        ("deleted", None, "Deleted here, not in evidence", False),
        ("missing", 5, "None could be taken", False),
    ],
)
def test_picture_says_whether_it_is_here_and_in_evidence(
    state: str, event_id: int | None, word: str, is_here: bool
) -> None:
    (card,) = cards_of([replace(PICTURE, state=state, event_id=event_id)], EN)
    assert (card.state.word, card.is_here) == (word, is_here)


def test_picture_says_what_it_was_taken_for_in_both_languages() -> None:
    assert cards_of([PICTURE], EN)[0].occasion.text == "Door opened door/entry"
    assert cards_of([PICTURE], ZH)[0].occasion.text == "门已打开 door/entry"
    strange = cards_of([replace(PICTURE, reason="something new")], ZH)[0].occasion
    assert (strange.text, strange.lang) == ("something new", "en")


def test_pictures_stand_newest_first_and_are_counted_as_their_marks() -> None:
    cards = cards_of([PICTURE, replace(PICTURE, at=None)], EN)
    assert [(card.index, card.around is None) for card in cards] == [(1, True), (0, False)]


@pytest.mark.parametrize(
    ("more", "kind", "says"),
    [
        ({}, "late", "has not heard of it yet"),
        ({"told_at": NOON}, "late", "has heard of it"),
        ({"state": "done", "segments": 1}, "good", ""),
        ({"state": "none"}, "unmonitored", "nothing of it is recorded"),
        ({"state": "failed", "why": "the disk: full"}, "bad", "the disk: full"),
        ({"state": "expired", "why": "the gateway did not answer in time"}, "bad", "within 7 days"),
    ],
)
def test_wish_says_what_became_of_it(more: dict[str, object], kind: str, says: str) -> None:
    (row,) = wishes_of(timeline(replace(WISH, **more)), EN)
    assert row.state.kind == kind
    assert says in row.says.text
    assert row.waits is ("state" not in more)


def test_parts_stand_with_the_stretch_they_belong_to() -> None:
    later = replace(PART, from_at=NOON + timedelta(minutes=1), to_at=NOON + timedelta(minutes=2))
    shown = timeline(WISH, segments=(PART, later))
    assert [part.size for part in wishes_of(shown, EN)[0].parts] == ["2.5\N{NARROW NO-BREAK SPACE}MB"]
    assert [part.from_ms for part in other_parts(shown)] == [later.from_at.timestamp() * 1000]


def test_sizes_have_units() -> None:
    space = "\N{NARROW NO-BREAK SPACE}"
    assert [size_text(count) for count in (666, 1000, 2_000_000_000)] == [
        f"666{space}B",
        f"1.0{space}kB",
        f"2.0{space}GB",
    ]
