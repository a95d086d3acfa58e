"""Proof test: a guided run from every cause to every effect, recorded, with a due date.

A person makes each cause happen. The interlock itself says whether it voted, the person whether the device
really went to its safe state and stayed there until the reset.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from rules.interlock.guard import TICKS_PER_DAY
from rules.interlock.inputs import Moment
from rules.interlock.matrix import cause_words
from rules.interlock.model import Interlock, Plant
from rules.interlock.reasons import Because
from rules.interlock.state import Change, ChangeKind
from rules.interlock.votes import shows


class StepKind(StrEnum):
    """What a step shows."""

    CAUSE = "cause"
    """Make this cause happen: it has to vote."""
    EFFECT = "effect"
    """Go and look: this effect is in its safe state."""
    RESET = "reset"
    """Acknowledge, reset, enable: each refused before its turn, and the effects released at the end."""


class ProofStep(Struct, frozen=True):
    """One thing to do; `name` is a cause, or the target of an effect."""

    kind: StepKind
    name: str = ""


class ProofResult(Struct, frozen=True):
    """What came of a step."""

    step: ProofStep
    passed: bool
    seen: bool
    """Whether the interlock itself saw what the step is to show; True where only a person can see it."""
    at: Moment
    note: str = ""


class ProofRun(Struct, frozen=True):
    """A proof test under way, or over."""

    interlock: str
    rule: str
    """Fingerprint of the rule that is proved."""
    by: str
    begun: Moment
    steps: tuple[ProofStep, ...]
    results: tuple[ProofResult, ...] = ()
    heard: tuple[str, ...] = ()
    """Causes that voted for what their condition is about, and `@enabled`, since the step began."""
    aside: tuple[str, ...] = ()
    """Causes that voted for another reason alone, such as that nothing was heard: no step is seen by that."""
    ended: Moment | None = None

    @property
    def step(self) -> ProofStep | None:
        """What is to be done next; None when the run is over."""
        done = len(self.results)
        return None if self.ended is not None or done == len(self.steps) else self.steps[done]

    @property
    def passed(self) -> bool:
        """Whether every step was done and passed."""
        return len(self.results) == len(self.steps) and all(result.passed for result in self.results)


class ProofState(StrEnum):
    """How an interlock stands with its proof test."""

    NOT_ASKED = "not_asked"
    NEVER = "never"
    IN_DATE = "in_date"
    DUE = "due"
    OVERDUE = "overdue"
    UNKNOWN = "unknown"
    """Time is not trusted."""


class ProofDue(Struct, frozen=True):
    """When the next proof test is due."""

    state: ProofState
    due_utc: int | None = None


ENABLED = "@enabled"


def proof_steps(rule: Interlock) -> tuple[ProofStep, ...]:
    """Return what has to be shown: every cause, every effect, the way back."""
    causes = [ProofStep(StepKind.CAUSE, cause.name) for _, cause in rule.causes()]
    effects = [ProofStep(StepKind.EFFECT, effect.target) for effect in rule.effects]
    return (*causes, *effects, ProofStep(StepKind.RESET))


def step_words(step: ProofStep, rule: Interlock, plant: Plant) -> str:
    """Return what a person has to do and to look at."""
    match step.kind:
        case StepKind.CAUSE:
            cause = next(cause for _, cause in rule.causes() if cause.name == step.name)
            return f"Make it happen, and wait until it votes: {cause_words(cause, plant)}."
        case StepKind.EFFECT:
            kind = next(effect.kind for effect in rule.effects if effect.target == step.name)
            return f"Go to {step.name} and see for yourself that it is safe ({kind})."
        case _:
            return "Undo the causes; acknowledge, reset, enable. See that nothing is released before that."


def begin_proof(rule: Interlock, fingerprint: str, *, by: str, at: Moment) -> ProofRun:
    """Return a run before its first step."""
    return ProofRun(rule.name, fingerprint, by, at, proof_steps(rule))


def watch_proof(run: ProofRun, changes: Iterable[Change], *, rule: Interlock) -> ProofRun:
    """Return the run after what the interlock said meanwhile.

    A vote counts only for what the condition of its cause is about: that a sensor was silent shows nothing of
    a limit. A vote whose reason was not told counts for nothing.
    """
    shown = {cause.name: shows(cause.condition) for _, cause in rule.causes()}
    heard, aside = list(run.heard), list(run.aside)
    for change in changes:
        if change.kind is ChangeKind.VOTED:
            for name in change.causes:
                seen = change.because in shown.get(name, frozenset[Because]())
                (heard if seen else aside).append(name)
        elif change.kind is ChangeKind.ENABLED:
            heard.append(ENABLED)
    left = dict.fromkeys(name for name in aside if name not in heard)
    return replace(run, heard=tuple(dict.fromkeys(heard)), aside=tuple(left))


def record_step(run: ProofRun, *, at: Moment, passed: bool, note: str = "") -> ProofRun:
    """Return the run after a person said how a step went; it did not pass where the interlock saw nothing.

    `ValueError` when the run is over. The last step ends it.
    """
    now = run.step
    if now is None:
        raise ValueError("the proof test is over: begin another one")
    wanted = {StepKind.CAUSE: now.name, StepKind.RESET: ENABLED}.get(now.kind)
    seen = wanted is None or wanted in run.heard
    result = ProofResult(now, passed and seen, seen, at, note)
    results = (*run.results, result)
    ended = at if len(results) == len(run.steps) else None
    return replace(run, results=results, heard=(), aside=(), ended=ended)


def abandon_proof(run: ProofRun, at: Moment) -> ProofRun:
    """Return the run as given up: it proves nothing."""
    return run if run.ended is not None else replace(run, ended=at)


def proof_due(rule: Interlock, fingerprint: str, *, runs: Sequence[ProofRun], utc: int | None) -> ProofDue:
    """Return when the next proof test is due; only a run that passed, of this very rule, counts."""
    if rule.proof is None:
        return ProofDue(ProofState.NOT_ASKED)
    dates = [
        run.ended.utc
        for run in runs
        if run.passed and run.rule == fingerprint and run.ended is not None and run.ended.utc is not None
    ]
    if not dates:
        return ProofDue(ProofState.NEVER)
    due = max(dates) + rule.proof.every_days * TICKS_PER_DAY
    if utc is None:
        return ProofDue(ProofState.UNKNOWN, due)
    if utc >= due:
        return ProofDue(ProofState.OVERDUE, due)
    soon = utc >= due - rule.proof.remind_days * TICKS_PER_DAY
    return ProofDue(ProofState.DUE if soon else ProofState.IN_DATE, due)
