"""States of sites and gateways: what was never heard is not monitored, and nothing is green by default."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cloud.store.sites import Gateway
from cloud.web.overview import gateway_kind, site_kind

NOW = datetime(2026, 11, 20, tzinfo=UTC)
NEW = Gateway(1, "institute", "lab-1", 1, "lab-1", False, None, None, None, NOW)
ONLINE = replace(NEW, online=True, online_since=NOW)
LOST = replace(NEW, online_since=NOW, last_batch_at=NOW)


def test_gateway_never_heard_is_not_monitored() -> None:
    assert gateway_kind(NEW) == "unmonitored"
    assert gateway_kind(ONLINE) == "online"
    assert gateway_kind(LOST) == "suspected"
    assert gateway_kind(replace(NEW, last_batch_at=NOW)) == "suspected"


@pytest.mark.parametrize(
    ("gateways", "kind"),
    [
        ([], "unmonitored"),
        ([NEW], "unmonitored"),
        ([ONLINE], "online"),
        ([ONLINE, LOST], "partly"),
        ([ONLINE, NEW], "partly"),
        ([LOST, NEW], "suspected"),
    ],
)
def test_site_is_online_only_when_all_its_gateways_are(gateways: list[Gateway], kind: str) -> None:
    assert site_kind(gateways) == kind
