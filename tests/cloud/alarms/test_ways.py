"""Each way, against real servers on this machine."""

import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from cloud.notify.settings import read_mail_server
from cloud.notify.ways import Address, Given, MailServer, Message, WayError, dingtalk_sign, send
from cloud.settings import SettingsError
from tests.cloud.alarms.far_ends import mail_server, web_server

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SAID = Message(7, "【衡】高温", "room-2: 24.1 °C", NOW)
HERE = Given(clock=lambda: NOW)


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
