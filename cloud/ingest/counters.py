"""What ingest counts, for `/metrics`. Counted once for each commit, not for each message."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Counters:
    """The figures of one ingest worker, in the registry of its process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Each registry takes one worker's figures."""
        self.received = Counter("heng_ingest_messages", "Messages received", registry=registry)
        self.dropped = Counter(
            "heng_ingest_dropped", "Messages dropped, healed by resend", ["why"], registry=registry
        )
        self.rejected = Counter("heng_ingest_rejected", "Messages refused", ["stage"], registry=registry)
        self.batches = Counter("heng_ingest_batches", "Batches committed", registry=registry)
        self.readings = Counter("heng_ingest_readings", "Readings committed", registry=registry)
        self.known = Counter("heng_ingest_known", "Batches that were there already", registry=registry)
        self.conflicts = Counter(
            "heng_ingest_conflicts", "Known numbers that came with another hash", registry=registry
        )
        self.unplaced = Counter(
            "heng_ingest_unplaced",
            "Batches kept until time is found or points are declared",
            registry=registry,
        )
        self.acks = Counter("heng_ingest_acks", "Acknowledgements published", registry=registry)
        self.commit_s = Histogram(
            "heng_ingest_commit_seconds",
            "Time of one commit",
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0),
            registry=registry,
        )
        self.waiting = Gauge("heng_ingest_waiting", "Messages that wait for a commit", registry=registry)
