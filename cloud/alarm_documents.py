"""How rules and policies are written by people, in words and seconds, and as the rules take them. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Literal

import msgspec
from msgspec import Struct

from rules.alarm.model import Condition, Kind, Priority, Rule
from rules.alarm.policy import Chain, Policy, Route, Step
from wire.messages import TICKS_PER_S

SECONDS_MAX = 366 * 86_400
PriorityWord = Literal["urgent", "high", "medium", "low"]
PRIORITY_WORDS: tuple[PriorityWord, ...] = ("urgent", "high", "medium", "low")
PRIORITIES: Mapping[str, Priority] = {one.name.lower(): one for one in Priority}


class RuleText(Struct, frozen=True, forbid_unknown_fields=True):
    """One condition, as people write it."""

    condition: str
    priority: PriorityWord = "medium"
    limit: Decimal | None = None
    deadband: Decimal = Decimal(0)
    on_delay_s: float = 0.0
    off_delay_s: float = 0.0
    window_s: float = 0.0
    ack_required: bool = True


class StepText(Struct, frozen=True, forbid_unknown_fields=True):
    """One step of a chain: after so long without an acknowledgement these ways are told."""

    to: list[str]
    after_s: float = 0.0
    repeat_s: float | None = None
    repeats: int | None = None


class ChainText(Struct, frozen=True, forbid_unknown_fields=True):
    """An escalation."""

    steps: list[StepText]
    ends_on_return: bool = True


class RouteText(Struct, frozen=True, forbid_unknown_fields=True):
    """Which alarms take a chain; an empty list is every one."""

    chain: str
    kinds: list[str] = []
    priorities: list[PriorityWord] = []


DIGEST_S = (31.0, 599.0)
"""Longer than messages are gathered, shorter than the window of a flood."""


class PolicyText(Struct, frozen=True, forbid_unknown_fields=True):
    """How a site handles its alarms."""

    chains: dict[str, ChainText]
    routes: list[RouteText]
    shelf_max_s: float = 86_400.0
    digest_s: float = 180.0
    """During a flood there lies at least this between two messages; 31 to 599 s."""


class WrittenError(ValueError):
    """Something that is written wrong: where, what stands there, what was expected."""

    def __init__(self, field: str, value: object, expected: str) -> None:
        super().__init__(f"{field} {str(value)[:200]!r}: expected {expected}")
        self.field, self.value, self.expected = field, str(value)[:200], expected


def rules_of(written: Iterable[RuleText]) -> tuple[Rule, ...]:
    """Return the rules that were written; `WrittenError`."""
    return tuple(_rule(one) for one in written)


def rules_text(rules: Sequence[Mapping[str, object]]) -> list[RuleText]:
    """Return rules as they are stored in the words of people."""
    return [
        RuleText(
            rule.condition.value,
            _word(rule.priority),
            rule.limit,
            rule.deadband,
            rule.on_delay_ticks / TICKS_PER_S,
            rule.off_delay_ticks / TICKS_PER_S,
            rule.window_ticks / TICKS_PER_S,
            rule.ack_required,
        )
        for rule in msgspec.convert(list(rules), list[Rule], strict=False)
    ]


def policy_of(written: PolicyText) -> Policy:
    """Return the policy that was written; `WrittenError`."""
    chains = {
        name: Chain(
            tuple(_step(f"chains.{name}.{number}", step) for number, step in enumerate(chain.steps)),
            chain.ends_on_return,
        )
        for name, chain in written.chains.items()
    }
    routes = tuple(
        Route(
            one.chain,
            tuple(_kind(f"routes.{number}.kinds", kind) for kind in one.kinds),
            tuple(PRIORITIES[word] for word in one.priorities),
        )
        for number, one in enumerate(written.routes)
    )
    if not DIGEST_S[0] <= written.digest_s <= DIGEST_S[1]:
        raise WrittenError("digest_s", written.digest_s, f"{DIGEST_S[0]:g} to {DIGEST_S[1]:g} s")
    return Policy(
        chains,
        routes,
        shelf_max_ticks=_ticks("shelf_max_s", written.shelf_max_s),
        digest_ticks=_ticks("digest_s", written.digest_s),
    )


def policy_text(stored: Mapping[str, object]) -> PolicyText:
    """Return a policy as it is stored in the words of people."""
    policy = msgspec.convert(stored, Policy, strict=False)
    return PolicyText(
        chains={
            name: ChainText(
                [
                    StepText(
                        list(step.recipients),
                        step.after_ticks / TICKS_PER_S,
                        None if step.repeat_ticks is None else step.repeat_ticks / TICKS_PER_S,
                        step.repeats,
                    )
                    for step in chain.steps
                ],
                chain.ends_on_return,
            )
            for name, chain in policy.chains.items()
        },
        routes=[
            RouteText(one.chain, [kind.value for kind in one.kinds], [_word(p) for p in one.priorities])
            for one in policy.routes
        ],
        shelf_max_s=policy.shelf_max_ticks / TICKS_PER_S,
        digest_s=policy.digest_ticks / TICKS_PER_S,
    )


def _word(priority: Priority) -> PriorityWord:
    return PRIORITY_WORDS[priority - 1]


def _rule(one: RuleText) -> Rule:
    try:
        condition = Condition(one.condition)
    except ValueError:
        raise WrittenError("condition", one.condition, f"one of {', '.join(Condition)}") from None
    if condition is Condition.EVENT:
        raise WrittenError("condition", one.condition, "a condition of a point; events need no template")
    return Rule(
        condition,
        PRIORITIES[one.priority],
        one.limit,
        one.deadband,
        _ticks(f"{condition}.on_delay_s", one.on_delay_s),
        _ticks(f"{condition}.off_delay_s", one.off_delay_s),
        _ticks(f"{condition}.window_s", one.window_s),
        one.ack_required,
    )


def _step(where: str, one: StepText) -> Step:
    repeat = None if one.repeat_s is None else _ticks(f"{where}.repeat_s", one.repeat_s)
    if one.repeats is not None and one.repeats < 0:
        raise WrittenError(f"{where}.repeats", one.repeats, "0 or more")
    return Step(_ticks(f"{where}.after_s", one.after_s), tuple(one.to), repeat, one.repeats)


def _kind(where: str, word: str) -> Kind:
    try:
        return Kind(word)
    except ValueError:
        raise WrittenError(where, word, f"one of {', '.join(Kind)}") from None


def _ticks(field: str, seconds: float) -> int:
    if not 0 <= seconds <= SECONDS_MAX:
        raise WrittenError(field, seconds, f"seconds from 0 to {SECONDS_MAX}")
    return round(seconds * TICKS_PER_S)
