"""SOAP of cameras: standard vectors, answers as makers write them, and everything that is none."""

import base64
from contextlib import suppress
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.drivers.camera.onvif_soap import (
    DOCUMENT_BYTES_MAX,
    LISTED_MAX,
    MEDIA,
    MEDIA2,
    Identity,
    LoginError,
    Profile,
    SoapError,
    ahead,
    authorization,
    body_of,
    camera_ms,
    chosen,
    get_date,
    get_identity,
    get_profiles,
    get_services,
    get_stream,
    identity,
    profiles,
    question,
    services,
    stream_url,
    token_of,
)

pytestmark = pytest.mark.requirement("G-6.9c1")
HOST = "192.168.10.60"


def answer(inside: str) -> ElementTree.Element:
    name = 'xmlns:env="http://www.w3.org/2003/05/soap-envelope"'
    text = f"<env:Envelope {name}><env:Header/><env:Body>{inside}</env:Body></env:Envelope>"
    return body_of(text.encode())


def test_password_digest_is_that_of_the_onvif_programmers_guide() -> None:
    """ONVIF Application Programmer's Guide 1.0, 6.1.1.3: userid `user`, password `userpassword`."""
    token = token_of(
        "user",
        "userpassword",
        nonce=base64.b64decode("LKqI6G/AikKCQrN0zqZFlg=="),
        utc_ms=1_284_623_445_000,
    )
    assert "<u:Created>2010-09-16T07:50:45Z</u:Created>" in token
    assert ">tuOSpGlFlIXsozq4HFNeeGeFLEI=</w:Password>" in token
    assert ">LKqI6G/AikKCQrN0zqZFlg==</w:Nonce>" in token


def test_names_and_tokens_with_signs_of_xml_are_escaped() -> None:
    token = token_of("a<b&c", "p", nonce=b"0", utc_ms=0)
    assert "<w:Username>a&lt;b&amp;c</w:Username>" in token
    assert "&lt;/ProfileToken&gt;" in get_stream(MEDIA, "</ProfileToken>")


@pytest.mark.parametrize(
    "body",
    [
        get_date(),
        get_identity(),
        get_services(),
        get_profiles(MEDIA),
        get_profiles(MEDIA2),
        get_stream(MEDIA, "a"),
        get_stream(MEDIA2, "a"),
    ],
)
def test_questions_are_whole_documents(body: str) -> None:
    asked = body_of(question(body, token_of("u", "p", nonce=b"1", utc_ms=0)))
    assert len(asked) == 1
    assert ("RTSP" in "".join(asked.itertext())) == ("GetStreamUri" in body)


def date(*parts: int) -> str:
    names = ("Hour", "Minute", "Second", "Year", "Month", "Day")
    inside = "".join(f"<tt:{name}>{part}</tt:{name}>" for name, part in zip(names, parts, strict=True))
    return (
        '<tds:R xmlns:tds="d" xmlns:tt="t"><tt:LocalDateTime><tt:Year>1970</tt:Year></tt:LocalDateTime>'
        f"<tt:UTCDateTime>{inside}</tt:UTCDateTime></tds:R>"
    )


def test_time_is_the_cameras_utc() -> None:
    assert camera_ms(answer(date(7, 16, 7, 2010, 9, 16))) == 1_284_621_367_000
    assert camera_ms(answer(date(23, 59, 60, 2016, 12, 31))) == 1_483_228_799_000
    assert ahead(10_000, utc_ms=9_000, bound_ms=5, round_trip_ms=31) == (1500, 521)


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ("<R/>", "does not say its UTC"),
        (date(7, 16, 7, 2010, 13, 16), "is no time"),
        (date(7, 16, 7, 0, 1, 1), "is no time"),
        (date(7, 16, 7, 2010, 1, 1).replace("2010", "-2010"), "is no time"),
        (date(7, 16, 7, 2010, 1, 1).replace("2010", "２０１０"), "is no time"),
        ("<UTCDateTime/>", "is no time"),
    ],
)
def test_time_that_is_none_is_refused(inside: str, said: str) -> None:
    with pytest.raises(SoapError, match=said):
        camera_ms(answer(inside))


def test_identity_is_shown_in_one_line_and_not_long() -> None:
    told = (
        "<R><Manufacturer> Heng\nsimulators </Manufacturer><Model>M</Model><SerialNumber>7</SerialNumber></R>"
    )
    assert identity(answer(told)) == Identity("Heng simulators", "M", "", "7")
    assert len(identity(answer(f"<Model>{'x' * 500}</Model>")).model) == 80


def test_services_are_paths_of_the_host_that_was_asked() -> None:
    told = "".join(
        f"<Service><Namespace>{name}</Namespace><XAddr>{place}</XAddr></Service>"
        for name, place in (
            (MEDIA, "http://10.0.0.1/onvif/media"),
            (MEDIA, "http://evil.example/other"),
            ("a", "http://[::1/onvif"),
            ("b", "http://camera"),
            ("c", "http://camera/a b"),
            (MEDIA2, "/onvif/media2"),
        )
    )
    assert services(answer(told)) == {MEDIA: "/onvif/media", MEDIA2: "/onvif/media2"}
    assert services(answer("<R/>")) == {}


def test_profile_is_the_wanted_one_or_the_first() -> None:
    told = '<R><Profiles token="p1"><Name>main</Name></Profiles><Profiles/><Profiles token="p2"/></R>'
    found = profiles(answer(told))
    assert found == [Profile("p1", "main"), Profile("p2", "")]
    assert chosen(found, "") == chosen(found, "main") == chosen(found, "p1") == found[0]
    assert chosen(found, "p2") == found[1]
    with pytest.raises(SoapError, match="no profile sub: expected one of main, p2"):
        chosen(found, "sub")
    with pytest.raises(SoapError, match="no profile"):
        profiles(answer("<R/>"))
    assert len(profiles(answer('<Profiles token="p"/>' * 100))) == LISTED_MAX


@pytest.mark.parametrize(
    ("told", "url"),
    [
        ("rtsp://10.0.0.9:8554/live?channel=1&amp;sub=0", f"rtsp://{HOST}:8554/live?channel=1&sub=0"),
        ("rtsp://admin:pass@10.0.0.9/Streaming/Channels/101", f"rtsp://{HOST}:554/Streaming/Channels/101"),
        ("rtsp://10.0.0.9", f"rtsp://{HOST}:554/"),
        ("rtsp://10.0.0.9?a=b", f"rtsp://{HOST}:554/?a=b"),
    ],
)
def test_stream_is_at_the_host_of_the_settings_and_without_a_password(told: str, url: str) -> None:
    assert stream_url(answer(f"<MediaUri><Uri>{told}</Uri></MediaUri>"), HOST) == url


@pytest.mark.parametrize(
    "told",
    [
        "",
        "http://10.0.0.9/live",
        "rtsp://h:99999/a",
        "rtsp://[::1/a",
        "rtsp://h/a'b",
        "rtsp://h/a%0ab",
        "rtsp://h/é",
    ],
)
def test_stream_that_cannot_be_used_is_refused(told: str) -> None:
    with pytest.raises(SoapError, match="stream address is none"):
        stream_url(answer(f"<Uri>{told}</Uri>"), HOST)


BOMB = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;">]><a>&c;</a>'


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no XML"),
        (b"<html>", "no XML"),
        (b"<html/>", "no SOAP"),
        (b"<Envelope/>", "no SOAP"),
        (b"<a><Body/></a>", "no SOAP"),
        (b"\xff\xfe<\x00", "no UTF-8"),
        (BOMB, "document type"),
        (b"<a>&lol;</a>", "no XML"),
        (b"<a/>" + b" " * DOCUMENT_BYTES_MAX, "more than 262144 bytes"),
    ],
)
def test_what_is_no_answer_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(SoapError, match=said):
        body_of(data)


def fault(subcode: str, text: str) -> str:
    return (
        f'<s:Fault xmlns:s="e"><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>{subcode}</s:Value>'
        f"</s:Subcode></s:Code><s:Reason><s:Text>{text}</s:Text></s:Reason></s:Fault>"
    )


def test_fault_says_why_and_a_wrong_password_is_told_apart() -> None:
    for subcode in ("ter:NotAuthorized", "wsse:FailedAuthentication"):
        with pytest.raises(LoginError, match="refuses user and password"):
            answer(fault(subcode, "Sender not Authorized"))
    with pytest.raises(SoapError, match="the camera refuses: Action Not Implemented"):
        answer(fault("ter:ActionNotSupported", "Action Not Implemented"))
    with pytest.raises(SoapError, match="the camera refuses: s:Sender ter:X"):
        answer(fault(" ter:X ", ""))


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_digest_is_that_of_the_rfc(algorithm: str, response: str) -> None:
    """RFC 7616, 3.9.1."""
    nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
    opaque = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
    made = authorization(
        f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, '
        f'nonce="{nonce}", opaque="{opaque}"',
        method="GET",
        path="/dir/index.html",
        user="Mufasa",
        password="Circle of Life",
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    assert made == (
        f'Digest username="Mufasa", realm="http-auth@example.org", nonce="{nonce}", uri="/dir/index.html", '
        f'response="{response}", opaque="{opaque}", cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", '
        f"algorithm={algorithm}, qop=auth, nc=00000001"
    )


def test_digest_of_an_old_camera_is_without_qop() -> None:
    """RFC 2069, 2.4, with the response corrected in its erratum 749."""
    made = authorization(
        'digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc"',
        method="GET",
        path="/dir/index.html",
        user="Mufasa",
        password="CircleOfLife",
        cnonce="c",
    )
    assert 'response="1949323746fe6a43ef61f9606e7febea"' in made
    assert "qop" not in made


@pytest.mark.parametrize(
    "challenge",
    ["", 'Basic realm="camera"', 'Digest realm="r", algorithm=SHA-512', 'Digest realm="r", qop="auth-int"'],
)
def test_login_of_another_kind_is_refused(challenge: str) -> None:
    with pytest.raises(LoginError, match="another kind"):
        authorization(challenge, path="/", user="u", password="p", cnonce="c")


def test_user_that_would_break_out_of_the_header_cannot_log_in() -> None:
    with pytest.raises(LoginError, match="cannot log in"):
        authorization('Digest realm="r"', path="/", user='a", uri="/b', password="p", cnonce="c")


PIECES = [
    *(
        "<Envelope><Body>",
        "</Body></Envelope>",
        "<UTCDateTime>",
        "</UTCDateTime>",
        "<Year>2027</Year>",
        "<Uri>",
    ),
    *(
        "rtsp://h/a",
        "</Uri>",
        '<Profiles token="p">',
        "</Profiles>",
        "<Service>",
        "<XAddr>http://h/x</XAddr>",
    ),
    *(
        "</Service>",
        "<Fault>",
        "</Fault>",
        "<Name>n</Name>",
        "&amp;",
        "<![CDATA[",
        "]]>",
        "<?a b?>",
        "\u2028",
        "9",
    ),
]


@given(
    st.binary(max_size=300)
    | st.lists(st.sampled_from(PIECES), max_size=20).map(lambda p: "".join(p).encode())
)
def test_any_bytes_are_values_or_a_soap_error(data: bytes) -> None:
    for data_too in (data, b"<Envelope><Body>" + data + b"</Body></Envelope>"):
        for read in (
            camera_ms,
            identity,
            services,
            lambda body: chosen(profiles(body), ""),
            lambda body: stream_url(body, HOST),
        ):
            with suppress(SoapError):
                read(body_of(data_too))


@given(st.text(max_size=200))
def test_any_challenge_is_answered_or_refused(text: str) -> None:
    for challenge in (text, f"Digest {text}"):
        with suppress(LoginError):
            made = authorization(challenge, path="/", user="u", password="secret-word", cnonce="c")
            assert "secret-word" not in made
            assert "\n" not in made
