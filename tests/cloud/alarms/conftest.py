"""One site whose alarms are this test's own."""

import pytest

from tests.cloud.alarms.world import TABLES, Lab, Site


@pytest.fixture
def site(lab: Lab) -> Site:
    lab.execute(f"TRUNCATE {TABLES} CASCADE")
    return Site(lab)
