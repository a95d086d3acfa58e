"""Alarms as cameras tell them: which count, when they begin and end, and everything that is none."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.drivers.camera.onvif_events_soap import (
    CALM_NS,
    CREATE,
    SOURCES_MAX,
    Alarms,
    Notice,
    addressing,
    create,
    notices,
    pull,
    pull_point,
)
from edge.drivers.camera.onvif_soap import SoapError, body_of, question

MOTION, STILL = Notice("motion", "a", on=True), Notice("motion", "a", on=False)


def answer(inside: str) -> bytes:
    return f"<e:Envelope xmlns:e='s'><e:Body>{inside}</e:Body></e:Envelope>".encode()


def message(topic: str, name: str, value: str, source: str = "v1") -> str:
    return (
        f"<NotificationMessage><Topic>{topic}</Topic><Message><Source>"
        f'<SimpleItem Name="token" Value="{source}"/></Source><Key/><Data>'
        f'<SimpleItem Name="{name}" Value="{value}"/></Data></Message></NotificationMessage>'
    )


def test_questions_are_whole_documents_with_their_addresses() -> None:
    for body in (create(), pull(5)):
        assert len(body_of(question(body, addressing(CREATE, "http://camera/a?b=1&c=2")))) == 1
    assert "PT5S" in pull(5)


def test_place_to_pull_from_is_a_path_of_the_same_host() -> None:
    told = "<SubscriptionReference><Address> http://10.0.0.9/pull?id=1 </Address></SubscriptionReference>"
    assert pull_point(body_of(answer(told))) == ("/pull?id=1", "http://10.0.0.9/pull?id=1")
    for wrong in ("<R/>", told.replace("/pull", "pull"), told.replace("10.0.0.9", "[::1")):
        with pytest.raises(SoapError, match="no place to pull"):
            pull_point(body_of(answer(wrong)))


def test_motion_and_tampering_count_and_nothing_else() -> None:
    told = "".join(
        (
            message("tns1:RuleEngine/CellMotionDetector/Motion", "IsMotion", "true"),
            message("tns1:VideoSource/tnsaxis:MotionAlarm", "State", "0"),
            message("tns1:VideoSource/GlobalSceneChange/ImagingService", "State", "1", "v2"),
            message("tns1:RuleEngine/TamperDetector/Tamper", "IsTamper", "yes"),
            message("tns1:RuleEngine/CellMotionDetector/Motion", "Window", "true"),
            message("tns1:Device/Trigger/DigitalInput", "State", "true"),
        )
    )
    assert list(notices(body_of(answer(told)))) == [
        Notice("motion", "RuleEngine/CellMotionDetector/Motion v1", on=True),
        Notice("motion", "VideoSource/MotionAlarm v1", on=False),
        Notice("tamper", "VideoSource/GlobalSceneChange/ImagingService v2", on=True),
        Notice("tamper", "RuleEngine/TamperDetector/Tamper v1", on=False),
    ]


def test_alarm_begins_at_once_and_ends_when_it_has_been_calm() -> None:
    alarms = Alarms()
    assert alarms.heard([STILL], 0) == []
    assert alarms.heard([MOTION, MOTION], 0) == ["motion"]
    assert alarms.heard([STILL, STILL], 5) == []
    assert alarms.ended(5 + CALM_NS - 1) == []
    assert alarms.heard([MOTION], 6) == []
    assert alarms.ended(10 * CALM_NS) == []
    assert alarms.heard([STILL], 7) == []
    assert alarms.ended(7 + CALM_NS) == ["motion"]
    assert alarms.ended(8 + CALM_NS) == []
    assert alarms.heard([MOTION], 9 + CALM_NS) == ["motion"]


def test_alarm_lasts_as_long_as_one_source_has_it() -> None:
    alarms = Alarms()
    other = Notice("motion", "b", on=True)
    assert alarms.heard([MOTION, other], 0) == ["motion"]
    assert alarms.heard([STILL], 1) == []
    assert alarms.ended(5 * CALM_NS) == []


def test_camera_that_invents_sources_is_remembered_within_bounds() -> None:
    alarms = Alarms()
    invented = [Notice("tamper", str(number), on=True) for number in range(2 * SOURCES_MAX)]
    assert alarms.heard(invented, 0) == ["tamper"]
    assert alarms.heard([Notice("tamper", str(number), on=False) for number in range(SOURCES_MAX)], 1) == []
    assert alarms.ended(1 + CALM_NS) == ["tamper"]


PIECES = [
    *("<NotificationMessage>", "</NotificationMessage>", "<Topic>", "</Topic>", "VideoSource/MotionAlarm"),
    *("<Data>", "</Data>", '<S Name="State" Value="1"/>', "<Source>", "</Source>", "<Message>", "</Message>"),
    *("<SubscriptionReference><Address>http://h/p</Address></SubscriptionReference>", "&lt;", "<!-- -->"),
]


@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from(PIECES), max_size=25).map(lambda pieces: "".join(pieces).encode())
)
def test_any_bytes_are_notices_or_a_soap_error(data: bytes) -> None:
    with suppress(SoapError):
        body = body_of(answer("").replace(b"><", b">" + data + b"<", 1) if data else data)
        Alarms().heard(list(notices(body)), 0)
        pull_point(body)
