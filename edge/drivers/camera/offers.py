"""What a camera has for the hub, as it is described there."""

from pathlib import Path

from edge.drivers.camera.decode import Segment
from edge.drivers.camera.upload import Note
from edge.media.source import Outgoing
from wire.media import ContentType, Description
from wire.messages import as_text

_VIDEO: dict[str, ContentType] = {"ts": "video/mp2t", "mkv": "video/x-matroska"}


def offered_picture(file: Path, note: Note, *, camera: str) -> Outgoing:
    """Return a picture that waits, as it goes to the hub."""
    description = Description(
        camera=camera,
        device=note.camera,
        kind="picture",
        content_type="image/jpeg",
        bytes=note.bytes,
        tick=note.tick,
        from_ms=note.utc_ms,
        moment=note.kind,
        reason=as_text(note.reason),
    )
    return Outgoing(file, description, note.sha256)


def offered_segment(file: Path, segment: Segment, *, camera: str, device: str) -> Outgoing:
    """Return a segment as it goes to the hub; its hash is made when it goes."""
    end = None if segment.utc_ms is None else segment.utc_ms + segment.duration_ms
    description = Description(
        camera=camera,
        device=device,
        kind="segment",
        content_type=_VIDEO[segment.ending],
        bytes=file.stat().st_size if file.is_file() else 1,
        tick=segment.tick,
        from_ms=segment.utc_ms,
        to_ms=end,
    )
    return Outgoing(file, description, "")
