"""The small laboratory in which decisions are asked for."""

import pytest

from tests.rules.access.world import World


@pytest.fixture
def world() -> World:
    return World()
