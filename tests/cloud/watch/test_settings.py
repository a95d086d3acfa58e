"""What gateways report is kept; a restored hub takes what runs as its own, and is heard again."""

from datetime import UTC, datetime
from typing import Any, Protocol

import pytest

from cloud.mqtt import Arrived
from cloud.opening import Opened
from cloud.store import shadow
from cloud.store.connection import Connection
from cloud.store.shadow import NewRevision
from cloud.watch.settings import keep
from wire.shadow import COUNTER_MAX, OWN_FILE, Reported, Revision, SettingsFault, ShadowState, document_hash

AT = datetime(2026, 1, 1, tzinfo=UTC)
GPS = '[[device]]\ndriver = "gnss"\nname = "gps"\nprefix = "{}"\n'


class Lab(Protocol):
    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]: ...
    def run(self, ask: Any) -> Any: ...


@pytest.fixture(autouse=True)
def _nothing_yet(lab: Lab) -> None:
    for table in ("settings_desired", "settings_reported", "settings_revisions"):
        lab.execute(f"DELETE FROM {table}")


def report(
    lab: Lab, state: ShadowState, document: str, *, revision: Revision, running: Revision, **more: Any
) -> None:
    gateway, told = more.pop("gateway", "gateway-1"), more.pop("told", document)
    said = Reported(
        gateway=gateway,
        revision=revision,
        state=state,
        running=running,
        hash=document_hash(document),
        document=told,
        since_ms=1_790_000_000_000,
        **more,
    )
    item = Opened(Arrived("", b"", AT))
    item.message = said

    async def kept(connection: Connection) -> None:
        await keep(connection, item, at=AT)

    lab.run(kept)


def save(lab: Lab, document: str, *, gateway: str = "gateway-1", incarnation: int | None = None) -> int:
    async def saved(connection: Connection) -> int:
        owner = await shadow.owner(connection, gateway, AT)
        assert owner
        new = NewRevision(document, document_hash(document), "account", "li", "why", AT, 0)
        async with connection.transaction():
            number = await shadow.add(connection, owner, new)
            await shadow.want(connection, owner, number, incarnation=incarnation)
        return number

    found = lab.run(saved)
    assert isinstance(found, int)
    return found


def wanted(lab: Lab) -> list[tuple[Any, ...]]:
    return lab.execute("SELECT gateway_id, incarnation, number FROM settings_desired ORDER BY gateway_id")


def history(lab: Lab) -> list[tuple[Any, ...]]:
    return lab.execute(
        "SELECT number, author_kind, reason FROM settings_revisions WHERE gateway_id = 1 ORDER BY 1"
    )


def test_own_file_becomes_a_revision_once_and_is_not_wanted(lab: Lab) -> None:
    for _ in range(2):
        report(lab, ShadowState.FILE, GPS.format("car"), revision=OWN_FILE, running=OWN_FILE)
    assert history(lab) == [(1, "gateway", "its own file")]
    assert wanted(lab) == []
    (row,) = lab.execute("SELECT state, running_revision, received_at FROM settings_reported")
    assert row == ("file", 1, AT)


def test_refusal_is_kept_with_its_faults(lab: Lab) -> None:
    number = save(lab, GPS.format("car"))
    fault = SettingsFault("device[0]", "x", "y")
    report(
        lab,
        ShadowState.REFUSED,
        GPS.format("file"),
        revision=Revision(0, number),
        running=OWN_FILE,
        taken=document_hash(GPS.format("car")),
        faults=[fault],
    )
    ((state, faults, running),) = lab.execute("SELECT state, faults, running_revision FROM settings_reported")
    assert (state, faults, running) == ("refused", [["device[0]", "x", "y"]], 2)
    assert wanted(lab) == [(1, 0, number)]


def test_restored_hub_takes_what_runs_and_begins_a_new_incarnation(lab: Lab) -> None:
    save(lab, GPS.format("old"))
    new = GPS.format("new")
    revision = Revision(0, 5)
    report(lab, ShadowState.APPLIED, new, revision=revision, running=revision, taken=document_hash(new))
    assert history(lab)[-1] == (2, "gateway", "it ran as revision 5, which was not known here")
    assert wanted(lab) == [(1, 1, 2)]


def test_number_that_came_twice_shows_a_restored_hub_too(lab: Lab) -> None:
    number = save(lab, GPS.format("one"))
    other = GPS.format("other")
    revision = Revision(0, number)
    report(lab, ShadowState.APPLIED, other, revision=revision, running=revision, taken=document_hash(other))
    assert wanted(lab) == [(1, 1, 2)]


def test_report_of_an_earlier_revision_changes_nothing_that_is_wanted(lab: Lab) -> None:
    first = save(lab, GPS.format("one"))
    second = save(lab, GPS.format("two"))
    one = GPS.format("one")
    revision = Revision(0, first)
    report(lab, ShadowState.APPLIED, one, revision=revision, running=revision, taken=document_hash(one))
    assert wanted(lab) == [(1, 0, second)]


def test_replacement_runs_what_was_wanted_of_the_one_before(lab: Lab) -> None:
    save(lab, GPS.format("car"))
    lab.execute(
        "INSERT INTO gateways (organisation_id, name, replaces_id) VALUES (1, 'gateway-1-r2', 1)"
        " ON CONFLICT DO NOTHING"
    )
    report(
        lab, ShadowState.FILE, GPS.format("x"), revision=OWN_FILE, running=OWN_FILE, gateway="gateway-1-r2"
    )
    (mine, theirs) = wanted(lab)
    assert mine == (1, 0, 1)
    assert theirs[1:] == (0, 2)


def test_gateway_that_counts_to_the_end_stops_nothing(lab: Lab) -> None:
    save(lab, GPS.format("old"))
    new, revision = GPS.format("new"), Revision(COUNTER_MAX, COUNTER_MAX)
    report(lab, ShadowState.APPLIED, new, revision=revision, running=revision, taken=document_hash(new))
    assert wanted(lab) == [(1, 0, 1)]
    assert lab.execute("SELECT incarnation, number FROM settings_reported") == [(COUNTER_MAX, COUNTER_MAX)]


def test_nothing_old_is_wanted_where_the_running_text_was_not_told(lab: Lab) -> None:
    save(lab, GPS.format("old"))
    new, revision = GPS.format("new"), Revision(0, 5)
    report(
        lab,
        ShadowState.APPLIED,
        new,
        revision=revision,
        running=revision,
        taken=document_hash(new),
        told=None,
    )
    assert wanted(lab) == [(1, 0, 1)]


def test_no_gateway_fills_the_history(lab: Lab) -> None:
    lab.execute(
        "INSERT INTO settings_revisions"
        " SELECT 1, 1, n, 'a', sha256(n::text::bytea), 'gateway', 'g', 'r', %s, 0"
        " FROM generate_series(1, 49) n",
        AT,
    )
    for name in ("car", "van"):
        report(lab, ShadowState.FILE, GPS.format(name), revision=OWN_FILE, running=OWN_FILE)
    assert len(history(lab)) == 50
    assert lab.execute("SELECT running_revision FROM settings_reported") == [(None,)]
