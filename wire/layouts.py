"""Layouts are named by their content, so that an id can never come to mean another list of points."""

import hashlib
from collections.abc import Sequence

from wire.messages import Layout


def layout_id(points: Sequence[str], exponents: Sequence[int]) -> str:
    """Return the 8 hex digits that name this list of points with these exponents."""
    text = "\n".join(f"{name} {exponent}" for name, exponent in zip(points, exponents, strict=True))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def make_layout(points: Sequence[str], exponents: Sequence[int]) -> Layout:
    """Return the layout of these points, with its id."""
    return Layout(id=layout_id(points, exponents), points=list(points), exponents=list(exponents))


def is_consistent(layout: Layout) -> bool:
    """Whether a received layout is named by its content."""
    return len(layout.points) == len(layout.exponents) and layout.id == layout_id(
        layout.points, layout.exponents
    )
