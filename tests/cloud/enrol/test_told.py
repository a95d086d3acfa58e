"""What the desk writes down of those who ask again and again, and what an outage leaves behind."""

import pytest

from cloud import gateway_acts
from provisioning import enrolment
from provisioning.errors import EnrolmentError
from tests.cloud.enrol.conftest import ACTOR

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-7.2a")]


def enrolled(hub, tmp_path, name):
    claim = hub.claim(name)
    hub.serve(lambda: enrolment.enrol(claim, tmp_path / name))
    return tmp_path / name


def rows_of(hub, gateway):
    return [outcome for _, outcome, _ in hub.audited(gateway) if outcome == "refused"]


@pytest.mark.requirement("G-7.2c")
def test_revoked_gateway_that_asks_again_and_again_does_not_fill_the_audit_log(hub, tmp_path):
    """It shows a certificate, so it is no stranger; still its refusals are told only so often."""
    folder = enrolled(hub, tmp_path, "stubborn-1")
    hub.lab.run(
        lambda connection: gateway_acts.revoke(connection, ACTOR, "stubborn-1", why="x", now=hub.clock())
    )

    def scene():
        for _ in range(14):
            with pytest.raises(EnrolmentError, match="403: the gateway is revoked"):
                enrolment.renew(folder)

    hub.serve(scene)
    assert len(rows_of(hub, "stubborn-1")) == 10


@pytest.mark.requirement("G-7.2c")
def test_gateway_that_waits_for_a_person_is_told_once(hub, tmp_path):
    folder = enrolled(hub, tmp_path, "patient-1")
    hub.clock.days(90 + hub.policy.recover_days + 1)

    def scene():
        for _ in range(3):
            with pytest.raises(EnrolmentError, match="202"):
                enrolment.renew(folder)

    hub.serve(scene)
    assert [action for action, _, _ in hub.audited("patient-1")].count("gateway.recover") == 1


def test_folder_that_cannot_be_written_is_an_outage_and_ends_nothing(hub, tmp_path):
    """The claim is not used up, and the listener goes on: a full disk is put right, and all is well."""
    claim = hub.claim("full-1")
    gateways = hub.authority.folder / "gateways"
    gateways.mkdir(exist_ok=True)
    (gateways / "full-1").write_text("stands in the way")

    def scene():
        for _ in range(2):
            with pytest.raises(EnrolmentError, match="503: the hub cannot issue at the moment") as caught:
                enrolment.enrol(claim, tmp_path / "identity")
            assert caught.value.again
        (gateways / "full-1").unlink()
        return enrolment.enrol(claim, tmp_path / "identity")

    assert hub.serve(scene).fresh


def test_enrolment_that_was_not_committed_burns_no_id(hub, tmp_path):
    """A new card has new keys: they are not taken for those of somebody else who got this id."""
    claim = hub.claim("undone-1")
    hub.lab.execute(
        "CREATE FUNCTION undone() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RAISE 'the disk is full'; END $$"
    )
    hub.lab.execute(
        "CREATE TRIGGER undone BEFORE INSERT ON audit_log FOR EACH ROW"
        " WHEN (NEW.object = 'gateway undone-1' AND NEW.outcome = 'done') EXECUTE FUNCTION undone()"
    )
    with pytest.raises(EnrolmentError, match="503"):
        hub.serve(lambda: enrolment.enrol(claim, tmp_path / "first"))
    hub.lab.execute("DROP TRIGGER undone ON audit_log")
    hub.lab.execute("DROP FUNCTION undone")
    assert hub.serve(lambda: enrolment.enrol(claim, tmp_path / "second")).fresh
