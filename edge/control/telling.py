"""What the journal is told of interlocks: events with their data. Pure."""

from collections.abc import Iterator, Mapping

from rules.interlock.inputs import Asked, BeginBypass, EndBypass, PassCheck
from rules.interlock.model import EffectKind, Interlock
from rules.interlock.state import Change, State
from wire.messages import TICK_MS, Scalar

ASKED = "interlock_asked"
"""A person asked for something that permits; what became of it is told by another event."""
WORK_HELD = "work_held"
WORK_RELEASED = "work_released"
TOLD_MAX = 4000
"""So many characters of a change go into its event: a trip can be told, however many causes vote."""
Told = tuple[str, Mapping[str, Scalar]]


def told_of(change: Change, state: State) -> Told:
    """Return kind and data of the event of a change; `state` is that after it."""
    data: dict[str, Scalar] = {"breach": change.breach, "tick": change.at.tick}
    if change.at.utc is not None:
        data["at_ms"] = change.at.utc * TICK_MS
    words = {
        "causes": ", ".join(change.causes),
        "by": change.by,
        "reason": str(change.reason or change.because or ""),
        "words": change.words,
        "text": change.text,
        "first_out": first_out(state),
    }
    data |= {key: word[:TOLD_MAX] for key, word in words.items() if word}
    return f"interlock_{change.kind}", data


def asked_of(asked: Asked) -> Told:
    """Return the event that somebody asks for what permits, before it is decided."""
    data: dict[str, Scalar] = {"act": str(asked.__struct_config__.tag), "by": asked.by.id}
    if isinstance(asked, BeginBypass | EndBypass | PassCheck):
        data["causes"] = asked.cause
    else:
        data["breach"] = getattr(asked, "breach", 0)
    if isinstance(asked, BeginBypass):
        data |= {"reason": asked.reason, "seconds": asked.seconds}
        data["second"] = "" if asked.second is None else asked.second.id
    return ASKED, data


def work_told(
    rule: Interlock, state: State, *, held: bool
) -> Iterator[tuple[str, str, Mapping[str, Scalar]]]:
    """Yield zone, kind and data of the events that a zone's work is held, or is not any more."""
    for effect in rule.effects:
        if effect.kind is EffectKind.HOLD_WORK:
            data: dict[str, Scalar] = {"interlock": rule.name, "breach": state.kept.breach}
            if held:
                data["first_out"] = first_out(state)
            yield effect.target, WORK_HELD if held else WORK_RELEASED, data


def first_out(state: State) -> str:
    """Return what tripped first, by name."""
    return ", ".join(vote.cause for vote in state.kept.first_out)
