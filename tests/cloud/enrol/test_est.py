"""EST as the RFC shows it, with curl and openssl as the other end; then everything that is not EST."""

import base64
import contextlib
import json
import socket
import ssl
import subprocess
import threading
from datetime import timedelta

import pytest

from provisioning import certificates, est
from provisioning.claim import plain_code

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-7.2a", "G-7.2b")]


def run(*words, data=None):
    done = subprocess.run([str(word) for word in words], input=data, capture_output=True, timeout=90)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def curl(hub, path, *words):
    return run("curl", "-sS", "--fail-with-body", "--cacert", hub.root, *words, f"{hub.url}{path}")


def openssl_key(folder, name):
    folder.mkdir(parents=True, exist_ok=True)
    key, request = folder / "key.pem", folder / "request.b64"
    run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    der = run("openssl", "req", "-new", "-sha256", "-key", key, "-subj", f"/CN={name}", "-outform", "DER")
    request.write_bytes(base64.encodebytes(der))
    return key, request


def openssl_certificates(body):
    return run("openssl", "pkcs7", "-inform", "DER", "-print_certs", data=base64.b64decode(body))


def test_curl_and_openssl_fetch_the_authorities(hub):
    listed = openssl_certificates(hub.serve(lambda: curl(hub, est.CA_CERTIFICATES)))
    assert listed.count(b"BEGIN CERTIFICATE") == 2
    assert b"Heng root CA" in listed
    assert b"Heng issuing CA" in listed


def test_curl_and_openssl_enrol_and_renew(hub, tmp_path):
    claim = hub.claim("curl-1")
    key, request = openssl_key(tmp_path, "curl-1")
    post = ("-H", f"Content-Type: {est.REQUEST_TYPE}", "--data-binary", f"@{request}")

    def scene():
        first = openssl_certificates(curl(hub, est.ENROL, "-u", f"curl-1:{claim.code}", *post))
        (tmp_path / "cert.pem").write_bytes(first)
        issuing = certificates.to_pem([hub.authority.issuing.certificate])
        (tmp_path / "chain.pem").write_bytes(first + issuing)
        (tmp_path / "issuing.pem").write_bytes(issuing)
        shown = ("--cert", tmp_path / "chain.pem", "--key", key)
        return curl(hub, est.RENEW, *shown, *post)

    second = openssl_certificates(hub.serve(scene))
    (tmp_path / "renewed.pem").write_bytes(second)
    for name in ("cert.pem", "renewed.pem"):
        verified = run(
            *("openssl", "verify", "-purpose", "sslclient", "-CAfile", hub.root),
            *("-untrusted", tmp_path / "issuing.pem", tmp_path / name),
        )
        assert verified.endswith(b": OK\n")


def test_answer_is_marked_as_the_rfc_says(hub):
    head = hub.serve(lambda: curl(hub, est.CA_CERTIFICATES, "-D", "-", "-o", "/dev/null")).decode().lower()
    assert "content-type: application/pkcs7-mime" in head
    assert "content-transfer-encoding: base64" in head


# --- what is not EST ------------------------------------------------------------------------------------


def context(hub, **_):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(hub.root)
    return made


def talk(hub, sent, *, made=None, timeout_s=10.0, until_closed=True):
    """Send bytes over TLS and return what comes back."""
    with (
        socket.create_connection(("127.0.0.1", hub.port), timeout=timeout_s) as plain,
        (made or context(hub)).wrap_socket(plain, server_hostname="localhost") as line,
    ):
        line.sendall(sent)
        got = b""
        while until_closed:
            try:
                part = line.recv(65536)
            except (ConnectionResetError, ssl.SSLError):
                break
            if not part:
                break
            got += part
        return got


def status(answer):
    return int(answer.split(b" ", 2)[1]) if answer else 0


def post(path, body, **headers):
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def basic(user, code):
    return "Basic " + base64.b64encode(f"{user}:{code}".encode()).decode()


def request_body(name, key=None):
    return est.to_base64(est.make_request(name, key or certificates.new_key()))


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET /.well-known/est/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET /.well-known/est/serverkeygen HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"DELETE /.well-known/est/cacerts HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"HEAD /.well-known/est/cacerts HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"GET /.well-known/est/simpleenroll HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET /.well-known/est/cacerts HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", 431),
        (b"POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (post(est.ENROL, b"AAAA", Content_Type="text/plain"), 415),
        (post(est.ENROL, b"AAAA"), 415),
    ],
)
def test_what_is_no_est_is_refused(hub, sent, expected):
    assert status(hub.serve(lambda: talk(hub, sent))) == expected


def test_endless_chunks_are_cut_off(hub):
    chunk = b"1000\r\n" + b"A" * 4096 + b"\r\n"
    head = b"POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert status(hub.serve(lambda: talk(hub, head + chunk * 20))) == 413


def forged(name):
    """Requests that are not what they say: byte by byte, with another key's signature, with other keys."""
    good = est.make_request(name, certificates.new_key())
    flipped = bytearray(good)
    flipped[-5] ^= 1
    return {
        "empty": b"",
        "cut": good[: len(good) // 2],
        "cut by one": good[:-1],
        "one more": good + b"\0",
        "forged": bytes(flipped),
        "noise": bytes(range(256)),
    }


@pytest.mark.parametrize("kind", ["empty", "cut", "cut by one", "one more", "forged", "noise"])
def test_damaged_request_is_refused_and_uses_nothing_up(hub, kind):
    name = f"damaged-{kind.replace(' ', '-')}"
    claim = hub.claim(name)
    headers = {"Content_Type": est.REQUEST_TYPE, "Authorization": basic(name, claim.code)}
    body = est.to_base64(forged(name)[kind])
    answer = hub.serve(lambda: talk(hub, post(est.ENROL, body, **headers)))
    assert status(answer) == 400
    assert b"certificate request" in answer
    left = hub.lab.execute(
        "SELECT used_at IS NULL FROM claims c JOIN gateways g ON g.id = c.gateway_id WHERE g.name = %s", name
    )
    assert left == [(True,)]


def test_body_that_is_no_base64_is_refused(hub):
    headers = {"Content_Type": est.REQUEST_TYPE, "Authorization": basic("x", "0" * 8)}
    assert status(hub.serve(lambda: talk(hub, post(est.ENROL, b"!!!!", **headers)))) == 400


@pytest.mark.parametrize("words", ["-newkey rsa:2048", "-newkey ed25519", "-newkey ec:secp384r1"])
def test_keys_of_other_kinds_are_refused(hub, tmp_path, words):
    option, kind = words.split()
    algorithm = ["ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"] if kind.startswith("ec:") else [kind]
    der = run(
        *("openssl", "req", "-new", option, *algorithm, "-nodes", "-keyout", tmp_path / "key.pem"),
        *("-subj", "/CN=kinds-1", "-outform", "DER"),
    )
    headers = {"Content_Type": est.REQUEST_TYPE, "Authorization": basic("kinds-1", "0" * 8)}
    answer = hub.serve(lambda: talk(hub, post(est.ENROL, est.to_base64(der), **headers)))
    assert (status(answer), b"P-256" in answer) == (400, True)


@pytest.mark.parametrize("subject", ["/CN=wished-1/O=Everything", "/CN=wished-1/CN=other-1", "/O=nothing"])
def test_subject_with_more_than_a_name_is_refused(hub, tmp_path, subject):
    run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", tmp_path / "key.pem")
    der = run("openssl", "req", "-new", "-key", tmp_path / "key.pem", "-subj", subject, "-outform", "DER")
    headers = {"Content_Type": est.REQUEST_TYPE, "Authorization": basic("wished-1", "0" * 8)}
    assert status(hub.serve(lambda: talk(hub, post(est.ENROL, est.to_base64(der), **headers)))) == 400


def test_wishes_for_more_rights_are_not_granted(hub, tmp_path):
    """A request may ask to be a CA, a server, or somebody else: the certificate is a gateway's."""
    claim = hub.claim("modest-1")
    run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", tmp_path / "key.pem")
    der = run(
        *("openssl", "req", "-new", "-key", tmp_path / "key.pem", "-subj", "/CN=modest-1", "-outform", "DER"),
        *("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "extendedKeyUsage=serverAuth"),
        *("-addext", "subjectAltName=URI:urn:heng:gateway:other,DNS:hub.example"),
    )
    headers = {"Content_Type": est.REQUEST_TYPE, "Authorization": basic("modest-1", claim.code)}
    answer = hub.serve(lambda: talk(hub, post(est.ENROL, est.to_base64(der), **headers)))
    issued = openssl_certificates(answer.split(b"\r\n\r\n", 1)[1])
    text = run("openssl", "x509", "-noout", "-text", data=issued)
    assert b"CA:FALSE" in text
    assert b"URI:urn:heng:gateway:modest-1" in text
    assert b"TLS Web Client Authentication" in text
    assert not any(word in text for word in (b"CA:TRUE", b"Server Authentication", b"other", b"hub.example"))


def test_request_of_another_name_than_the_user_is_refused(hub):
    claim = hub.claim("user-1")
    headers = {"Content_Type": est.REQUEST_TYPE, "Authorization": basic("user-1", claim.code)}
    answer = hub.serve(lambda: talk(hub, post(est.ENROL, request_body("user-2"), **headers)))
    assert (status(answer), b"another gateway" in answer) == (401, True)


@pytest.mark.parametrize("given", [None, "Bearer x", "Basic !!", "Basic bm9jb2xvbg=="])
def test_missing_or_strange_credentials_are_asked_for(hub, given):
    headers = {"Content_Type": est.REQUEST_TYPE} | ({"Authorization": given} if given else {})
    answer = hub.serve(lambda: talk(hub, post(est.ENROL, request_body("any"), **headers)))
    assert (status(answer), b'www-authenticate: basic realm="heng claim"' in answer.lower()) == (401, True)


def test_two_credentials_in_one_request_are_refused(hub):
    body = request_body("any")
    sent = post(est.ENROL, body, Content_Type=est.REQUEST_TYPE, Authorization=basic("any", "1" * 8))
    second = f"\r\nAuthorization: {basic('any', '2' * 8)}\r\nHost"
    doubled = sent.replace(b"\r\nHost", second.encode(), 1)
    assert status(hub.serve(lambda: talk(hub, doubled))) == 400


def test_captured_request_buys_nothing_without_its_key(hub):
    """Who replays a whole first enrolment gets the same public certificate, and no second one."""
    claim = hub.claim("replayed-1")
    headers = {"Content_Type": est.REQUEST_TYPE, "Authorization": basic("replayed-1", claim.code)}
    sent = post(est.ENROL, request_body("replayed-1"), **headers)
    first, second = hub.serve(lambda: (talk(hub, sent), talk(hub, sent)))
    assert status(first) == 200
    assert first.split(b"\r\n\r\n")[1] == second.split(b"\r\n\r\n")[1]


def test_tls_below_1_3_is_refused(hub):
    old = context(hub)
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    def scene():
        with pytest.raises(ssl.SSLError):
            talk(hub, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", made=old)
        return talk(hub, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

    assert status(hub.serve(scene)) == 404


def test_sessions_are_not_resumed(hub):
    """A resumed session would carry an identity that was checked long ago."""

    def scene():
        with (
            socket.create_connection(("127.0.0.1", hub.port), timeout=10) as plain,
            context(hub).wrap_socket(plain, server_hostname="localhost") as line,
        ):
            line.sendall(b"GET /.well-known/est/cacerts HTTP/1.1\r\nHost: x\r\n\r\n")
            line.recv(100)
            return line.session.has_ticket if line.session else False

    assert hub.serve(scene) is False


def test_plain_http_and_noise_do_not_disturb_others(hub):
    def scene():
        for noise in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\0" * 5000):
            with socket.create_connection(("127.0.0.1", hub.port), timeout=10) as plain:
                plain.sendall(noise)
        return talk(hub, b"GET /.well-known/est/cacerts HTTP/1.1\r\nHost: x\r\n\r\n")

    assert status(hub.serve(scene)) == 200


def test_hub_tells_where_it_is_and_what_it_signs_with(hub):
    answer = hub.serve(lambda: talk(hub, b"GET /heng/1/hub HTTP/1.1\r\nHost: x\r\n\r\n"))
    said = json.loads(answer.split(b"\r\n\r\n", 1)[1])
    assert said["broker"] == "mqtts://localhost:8883"
    assert said["hub_keys"] == [base64.b64encode(hub.authority.signer.public_key).decode()]
    assert abs(said["time_ms"] / 1000 - hub.clock().timestamp()) < 1


def test_expired_certificate_is_seen_and_judged_by_rule(hub, tmp_path):
    """The case that an ordinary server refuses before anybody could judge."""
    hub.clock.days(400)
    key = certificates.new_key()
    then = hub.clock() - timedelta(days=300)
    leaf = hub.authority.sign_gateway("unknown-1", key.public_key(), now=then, days=1)
    (tmp_path / "key.pem").write_bytes(certificates.key_to_pem(key))
    (tmp_path / "cert.pem").write_bytes(certificates.to_pem([leaf, hub.authority.issuing.certificate]))
    made = context(hub)
    made.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    sent = post(est.RENEW, request_body("unknown-1", key), Content_Type=est.REQUEST_TYPE)
    answer = hub.serve(lambda: talk(hub, sent, made=made))
    assert (status(answer), b"the gateway is unknown" in answer) == (403, True)


def test_codes_are_read_as_people_write_them():
    assert plain_code(" abcd-efgh ") == plain_code("ABCDEFGH") == "ABCDEFGH"
    assert plain_code("1lio-0ooo") == "11100000"


@pytest.mark.requirement("G-7.2c")
def test_what_is_turned_away_at_the_door_is_written_down(hub, tmp_path):
    """Certificates of strangers, damaged requests, too large ones: counted in the audit log, not lost."""
    stranger = certificates.root("stranger", certificates.Validity(hub.clock(), 1))
    (tmp_path / "key.pem").write_bytes(certificates.key_to_pem(stranger.key))
    (tmp_path / "cert.pem").write_bytes(certificates.to_pem([stranger.certificate]))
    shown = context(hub)
    shown.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    too_large = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n"
    headers = {"Content_Type": est.REQUEST_TYPE, "Authorization": basic("x", "0" * 8)}

    def scene():
        with contextlib.suppress(OSError):
            talk(hub, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", made=shown)
        talk(hub, too_large)
        talk(hub, post(est.ENROL, b"AAAA", **headers))
        talk(hub, post(est.RENEW, request_body("any"), Content_Type=est.REQUEST_TYPE))
        for _ in range(100):
            rows = hub.lab.execute("SELECT why, origin FROM audit_log WHERE action = 'enrolment.connect'")
            if len(rows) >= 4:
                return rows
            threading.Event().wait(0.1)
        return rows

    rows = hub.serve(scene)
    told = " | ".join(why for why, _ in rows)
    assert "413" in told
    assert "certificate request" in told
    assert "expected the gateway's certificate" in told
    assert "CERTIFICATE" in told.upper()
    assert {origin for _, origin in rows} == {"127.0.0.1"}
