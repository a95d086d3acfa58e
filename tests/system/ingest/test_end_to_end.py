"""A frame is published, rows are committed, and only then an ack is heard: with real services throughout."""

import pytest

from wire.messages import Poll

pytestmark = pytest.mark.slow


def test_published_batch_is_stored_and_acked(hub, gateway):
    layout = gateway.declare("room/air/temperature", "room/air/humidity")
    batch = gateway.seal(Poll(layout, 0, [2150, 4800]), Poll(layout, 100, [2151, None], [(1, 17)]))
    gateway.deliver(batch)
    assert gateway.acked(batch), hub.log()
    rows = hub.rows(
        """
        SELECT p.name, extract(epoch FROM r.observed_at)::float, r.raw, r.status
          FROM readings r JOIN points p ON p.id = r.point_id ORDER BY 2, 1
        """
    )
    start = (178_000_000_000 + 1000) / 100
    assert rows == [
        ("room/air/humidity", start, 4800, 0),
        ("room/air/temperature", start, 2150, 0),
        ("room/air/humidity", start + 1, None, 17),
        ("room/air/temperature", start + 1, 2151, 0),
    ]
