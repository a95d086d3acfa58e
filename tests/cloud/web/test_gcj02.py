"""GCJ-02 against published vectors; the module runs in Node as it runs in a browser."""

import json
import subprocess

import pytest

from cloud.web.assets import STATIC

# Source: eviltransform (googollee, MIT), python/tests: latitude, longitude of WGS-84, then of GCJ-02.
PUBLISHED = [
    (31.1774276, 121.5272106, 31.17530398364597, 121.531541859215),
    (22.543847, 113.912316, 22.540796131694766, 113.9171764808363),
    (39.911954, 116.377817, 39.91334545536069, 116.38404722455657),
]
OUTSIDE = [(52.52, 13.405), (35.68, 139.77), (-33.87, 151.21)]


def _shift(places: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return latitude, longitude of GCJ-02 for latitude, longitude of WGS-84."""
    script = (
        f"import {{ toGcj02 }} from {json.dumps((STATIC / 'js' / 'gcj02.js').as_uri())};"
        f"console.log(JSON.stringify({json.dumps(places)}.map(([a, o]) => toGcj02([o, a]).reverse())));"
    )
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script], capture_output=True, text=True, check=True, timeout=90
    )
    return [tuple(place) for place in json.loads(done.stdout)]


def test_shift_is_the_published_one() -> None:
    found = _shift([(latitude, longitude) for latitude, longitude, _, _ in PUBLISHED])
    for place, (_, _, latitude, longitude) in zip(found, PUBLISHED, strict=True):
        assert place == pytest.approx((latitude, longitude), abs=1e-9)


def test_nothing_is_shifted_outside_the_box() -> None:
    assert _shift(OUTSIDE) == OUTSIDE
