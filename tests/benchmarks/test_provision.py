"""The benchmark of provisioning has its keys and sane figures, and tells the last of what is over."""

import argparse
import json

import pytest

from benchmarks import provision
from benchmarks.provision import Revoked
from cli.commands.bench import _broker, _server

FEW = 6


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.requirement("G-7.2a", "G-7.2b")
def test_json_has_the_promised_keys_and_keeps_the_promises(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parser = argparse.ArgumentParser()
    provision.configure(parser)
    parser.set_defaults(start_server=_server, start_broker=_broker)
    assert provision.run(parser.parse_args(["--gateways", str(FEW), "--json"])) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"first_reading_s", "enrol_1000_s", "revocation_s"}
    assert 0 < found["first_reading_s"] <= 120
    assert found["enrol_1000_s"] > 0
    assert 0 < found["revocation_s"] <= 5


def test_revoked_is_when_the_last_of_it_is_over() -> None:
    assert Revoked(cut_s=1.0, heard_s=0.9, stored_s=2.5).seconds == 2.5
    assert Revoked(cut_s=3.0, heard_s=-0.1, stored_s=0.0).seconds == 3.0
