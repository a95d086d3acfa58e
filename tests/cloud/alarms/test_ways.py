"""Each way, against real servers on this machine."""

import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from cloud.notify.settings import read_mail_server, read_notify_local
from cloud.notify.targets import is_host, is_mail, is_refused
from cloud.notify.ways import Address, Given, MailServer, Message, WayError, dingtalk_sign, send
from cloud.settings import SettingsError
from tests.cloud.alarms.far_ends import mail_server, web_server

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SAID = Message(7, "【衡】高温", "room-2: 24.1 °C", NOW)
HERE = Given(clock=lambda: NOW, local=True)


@pytest.mark.requirement("G-6.11")
def test_mail_is_handed_in_to_every_address():
    with mail_server() as box:
        given = Given(MailServer("127.0.0.1", box.port, "heng@lab.example", "none"), clock=lambda: NOW)
        assert send(Address("email", "ann@lab.example, bob@lab.example", {}), SAID, given) == "accepted"
        (mail,) = box.mails
        assert mail["Subject"] == "【衡】高温"
        assert mail["To"] == "ann@lab.example, bob@lab.example"
        assert mail["X-Heng-Delivery"] == "7"
        assert mail.get_content().strip() == "room-2: 24.1 °C"


@pytest.mark.parametrize(("answer", "lasting"), [("450 later", False), ("550 nobody", True)])
def test_mail_that_is_refused_says_so(answer, lasting):
    with mail_server() as box:
        box.refuse = answer
        given = Given(MailServer("127.0.0.1", box.port, "heng@lab.example", "none"), clock=lambda: NOW)
        with pytest.raises(WayError, match=answer[:3]) as caught:
            send(Address("email", "ann@lab.example", {}), SAID, given)
        assert caught.value.lasting is lasting


def test_without_a_mail_server_mail_is_given_up_at_once():
    with pytest.raises(WayError, match="HENG_SMTP_URL") as caught:
        send(Address("email", "ann@lab.example", {}), SAID, HERE)
    assert caught.value.lasting


def test_webhook_is_posted_json_that_its_key_signs():
    with web_server() as hook:
        assert send(Address("webhook", "", {"url": hook.url, "key": "k"}), SAID, HERE) == "HTTP 200"
        ((path, body, headers),) = hook.posts
        assert path == "/robot?key=s3cret"
        assert body == {
            "delivery": 7,
            "subject": "【衡】高温",
            "text": "room-2: 24.1 °C",
            "created_at": "2026-01-01T00:00:00+00:00",
        }
        digest = hmac.new(b"k", headers["body"].encode(), hashlib.sha256).hexdigest()
        assert headers["X-Heng-Signature"] == f"sha256={digest}"


@pytest.mark.parametrize(("status", "lasting"), [(500, False), (429, False), (404, True), (302, False)])
def test_webhook_that_does_not_take_it_says_so_without_its_secret(status, lasting):
    with web_server() as hook:
        hook.status = status
        with pytest.raises(WayError, match=f"HTTP {status}") as caught:
            send(Address("webhook", "", {"url": hook.url}), SAID, HERE)
        assert caught.value.lasting is lasting
        assert "s3cret" not in str(caught.value)


def test_wecom_is_posted_a_text_of_2048_bytes_at_most():
    with web_server() as hook:
        long = Message(7, "热", "温" * 1000, NOW)
        assert send(Address("wecom", "", {"url": hook.url}), long, HERE) == "errcode 0"
        ((_, body, _),) = hook.posts
        assert body["msgtype"] == "text"
        assert len(body["text"]["content"].encode()) <= 2048
        assert body["text"]["content"].startswith("热\n温温")
        assert body["text"]["content"].endswith("温…")


def test_robot_that_answers_with_a_code_did_not_take_it():
    with web_server() as hook:
        hook.answer = {"errcode": 93000, "errmsg": "invalid webhook url"}
        with pytest.raises(WayError, match="errcode 93000: invalid webhook url"):
            send(Address("wecom", "", {"url": hook.url}), SAID, HERE)
        hook.answer = "no robot"
        with pytest.raises(WayError, match="none of a robot"):
            send(Address("dingtalk", "", {"url": hook.url}), SAID, HERE)


def test_of_what_a_robot_answers_no_more_is_told_than_a_number_and_a_short_text():
    with web_server() as hook:
        hook.answer = {"errcode": 1, "errmsg": "x" * 1000}
        with pytest.raises(WayError, match=f"^errcode 1: {'x' * 100}$"):
            send(Address("wecom", "", {"url": hook.url}), SAID, HERE)
        for code in ("the keys of a server", [1], None, 10**30):
            hook.answer = {"errcode": code}
            with pytest.raises(WayError, match=r"^the answer is none of a robot$"):
                send(Address("wecom", "", {"url": hook.url}), SAID, HERE)
        hook.raw = b"[" * 60_000
        with pytest.raises(WayError, match="none of a robot"):
            send(Address("wecom", "", {"url": hook.url}), SAID, HERE)


SENSELESS = [
    Address("webhook", "", {"url": "http://hooks..invalid/s3cret"}),
    Address("webhook", "", {"url": "http://.invalid/s3cret"}),
    Address("wecom", "", {"url": f"http://{'a' * 64}.invalid/s3cret"}),
    Address("webhook", "", {"url": "http://[s3cret/"}),
    Address("webhook", "", {}),
    Address("email", "a@[", {}),
]


@pytest.mark.parametrize("way", SENSELESS)
def test_way_that_makes_no_sense_is_one_that_did_not_go_out(way):
    given = Given(MailServer("127.0.0.1", 1, "heng@lab.example", "none"), clock=lambda: NOW, local=True)
    with pytest.raises(WayError) as caught:
        send(way, SAID, given)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("hooks.lab.example", True),
        ("hooks.lab.example.", True),
        ("nas_2", True),
        ("192.168.1.9", True),
        ("fd00::9", True),
        ("fe80::9%eth0", False),
        ("hooks..lab", False),
        (".lab", False),
        ("a" * 63, True),
        ("a" * 64, False),
        ("-a.lab", False),
        (".".join(["abcdefg"] * 32), False),
        ("", False),
    ],
)
def test_host_is_a_name_that_can_be_looked_up(text, fits):
    assert is_host(text) is fits


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("ann@lab.example", True),
        ("a.b+c@lab.example", True),
        ("a@[", False),
        ("a@lab..example", False),
        ("a..b@lab.example", False),
        ('"a b"@lab.example', False),
        ("a@b@lab.example", False),
        ("安@lab.example", False),
        ("lab.example", False),
    ],
)
def test_mail_address_is_one_that_a_message_can_bear(text, fits):
    assert is_mail(text) is fits


REFUSED_BUT_LOCAL = (
    *("127.0.0.1", "127.9.9.9", "::1", "169.254.169.254", "fe80::1", "::ffff:127.0.0.1"),
    *("100.100.100.200", "fd00:ec2::254"),
)


def test_hook_may_lead_into_the_laboratory_and_not_to_the_hub_itself():
    assert not any(is_refused(one, local=False) for one in ("192.0.2.7", "2001:db8::7"))
    assert all(is_refused(one, local=False) for one in REFUSED_BUT_LOCAL)
    assert not any(is_refused(one, local=True) for one in REFUSED_BUT_LOCAL)
    assert all(is_refused(one, local=True) for one in ("0.0.0.0", "::", "224.0.0.1", "ff02::1"))


def test_hook_that_leads_to_the_hub_when_it_is_sent_to_gets_nothing():
    with web_server() as hook:
        with pytest.raises(WayError, match="HENG_NOTIFY_LOCAL") as caught:
            send(Address("webhook", "", {"url": hook.url}), SAID, Given(clock=lambda: NOW))
        assert not caught.value.lasting
        assert hook.posts == []


def test_where_hooks_may_lead_is_0_or_1():
    assert [read_notify_local(one) for one in ({}, {"HENG_NOTIFY_LOCAL": "1"})] == [False, True]
    with pytest.raises(SettingsError, match="HENG_NOTIFY_LOCAL 'yes': expected 0 or 1"):
        read_notify_local({"HENG_NOTIFY_LOCAL": "yes"})


def test_dingtalk_is_posted_a_signed_text():
    with web_server() as hook:
        assert send(Address("dingtalk", "", {"url": hook.url, "key": "SEC1"}), SAID, HERE) == "errcode 0"
        ((path, body, _),) = hook.posts
        asked = parse_qs(urlsplit(path).query)
        assert asked["timestamp"] == ["1767225600000"]
        assert asked["sign"] == [dingtalk_sign("SEC1", 1767225600000)]
        assert body == {"msgtype": "text", "text": {"content": "【衡】高温\nroom-2: 24.1 °C"}}


def test_dingtalk_signature_is_that_of_its_recipe():
    # printf '1577262236757\nthis is secret' | openssl dgst -sha256 -hmac 'this is secret' -binary | base64
    assert dingtalk_sign("this is secret", 1577262236757) == "hmPWwU+7lVdm3ZZz0r9tSfx0L4Q26jWOZr9+Gs6EZQM="


def test_text_message_goes_to_the_provider_of_the_installation():
    sent = []

    class Provider:
        def send(self, numbers: tuple[str, ...], text: str, *, key: str) -> str:
            sent.append((numbers, text, key))
            return "queued"

    assert send(Address("sms", "+86 1, +86 2", {}), SAID, Given(sms=Provider())) == "queued"
    assert sent == [(("+86 1", "+86 2"), "【衡】高温", "heng-7")]
    with pytest.raises(WayError, match="no provider"):
        send(Address("sms", "+86 1", {}), SAID, HERE)


def test_nobody_listening_is_told_without_the_address():
    with web_server() as hook:
        url = hook.url
    with pytest.raises(WayError) as caught:
        send(Address("webhook", "", {"url": url}), SAID, HERE)
    assert not caught.value.lasting
    assert "s3cret" not in str(caught.value)


def test_mail_server_is_read_from_its_address():
    found = read_mail_server({"HENG_SMTP_URL": "smtp://heng:p%40ss@mail.example?from=heng@lab.example"})
    assert found == MailServer("mail.example", 587, "heng@lab.example", "starttls", "heng", "p@ss")
    found = read_mail_server({"HENG_SMTP_URL": "smtps://mail.example?from=heng@lab.example"})
    assert found == MailServer("mail.example", 465, "heng@lab.example", "tls")
    assert read_mail_server({}) is None


@pytest.mark.parametrize(
    "text", ["mail.example", "http://mail.example", "smtp://u:secret@mail.example", "smtp://h:x"]
)
def test_mail_server_that_is_none_is_refused_without_its_secret(text):
    with pytest.raises(SettingsError, match="HENG_SMTP_URL: expected") as caught:
        read_mail_server({"HENG_SMTP_URL": text})
    assert "secret@" not in str(caught.value)
