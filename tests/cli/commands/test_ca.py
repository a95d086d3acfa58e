import pytest

from cli.main import main
from provisioning.identity import GatewayIdentity, HubIdentity


def test_authority_and_identities_are_made(tmp_path, capsys):
    ca = str(tmp_path / "ca")
    assert main(["ca", "init", "--dir", ca, "--host", "hub.example"]) == 0
    assert main(["ca", "issue", "gateway", "lab-1", "--dir", ca, "--out", str(tmp_path / "lab-1")]) == 0
    assert main(["ca", "issue", "hub", "main", "--dir", ca]) == 0
    gateway = GatewayIdentity.load(tmp_path / "lab-1")
    hub = HubIdentity.load(tmp_path / "ca" / "hubs" / "main")
    said = capsys.readouterr().out
    assert gateway.gateway == "lab-1"
    assert gateway.signer.key_id.hex() in said
    assert hub.signer.key_id.hex() in said
    assert "PRIVATE" not in said


def test_second_init_fails_in_words(tmp_path, capsys):
    assert main(["ca", "init", "--dir", str(tmp_path)]) == 0
    assert main(["ca", "init", "--dir", str(tmp_path)]) == 1
    assert "holds a certificate authority already" in capsys.readouterr().err


def test_broker_gets_a_new_certificate_once_the_old_one_is_away(tmp_path, capsys):
    words = ["ca", "server", "--dir", str(tmp_path), "--host", "hub.example"]
    assert main(["ca", "init", "--dir", str(tmp_path)]) == 0
    old = (tmp_path / "broker" / "tls-cert.pem").read_bytes()
    assert main(words) == 1
    assert "never overwritten" in capsys.readouterr().err
    assert (tmp_path / "broker" / "tls-cert.pem").read_bytes() == old
    (tmp_path / "broker").rename(tmp_path / "broker-old")
    assert main(words) == 0
    assert (tmp_path / "broker" / "tls-cert.pem").read_bytes() != old


def test_missing_authority_fails_in_words(tmp_path, capsys):
    words = ["ca", "issue", "gateway", "lab-1", "--dir", str(tmp_path), "--out", str(tmp_path / "x")]
    assert main(words) == 1
    assert "issuing-key.pem: cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("days", ["0", "826", "-1", "many"])
def test_impossible_lifetime_is_bad_input(tmp_path, days, capsys):
    words = ["ca", "issue", "hub", "main", "--dir", str(tmp_path), "--days", days]
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "--days" in capsys.readouterr().err


def test_issuing_ca_is_followed_without_the_roots_key_on_the_hub(tmp_path, capsys):
    ca, safe, out = tmp_path / "ca", tmp_path / "safe", tmp_path / "carried"
    for folder in (safe, out):
        folder.mkdir()
    request, made = str(out / "next.csr"), str(out / "next.pem")
    assert main(["ca", "init", "--dir", str(ca), "--root-key", str(safe / "root-key.pem")]) == 0
    before = (ca / "issuing-cert.pem").read_bytes()
    assert main(["ca", "issuing", "ask", "--dir", str(ca), "--out", request]) == 0
    root = ["--root-key", str(safe / "root-key.pem"), "--root-cert", str(ca / "root-cert.pem")]
    assert main(["ca", "issuing", "sign", request, *root, "--out", made]) == 0
    assert main(["ca", "issuing", "use", made, "--dir", str(ca)]) == 0
    assert (ca / "issuing-cert.pem").read_bytes() != before
    assert main(["ca", "issue", "gateway", "lab-1", "--dir", str(ca), "--out", str(tmp_path / "lab-1")]) == 0
    chain = (tmp_path / "lab-1" / "tls-cert.pem").read_bytes()
    assert (ca / "issuing-cert.pem").read_bytes() in chain
    assert not any(b"PRIVATE" in path.read_bytes() for path in out.iterdir())
    assert main(["ca", "issuing", "use", made, "--dir", str(ca)]) == 1
    assert "next-issuing-key.pem: cannot be read" in capsys.readouterr().err


def test_ends_are_shown_with_what_to_do(tmp_path, capsys):
    assert main(["ca", "init", "--dir", str(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["ca", "show", "--dir", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[14:].partition(":")[0] for line in lines] == [
        "certificate of the broker",
        "issuing CA",
        "root CA",
        "hub CA",
    ]
    assert not any("!" in line for line in lines)
