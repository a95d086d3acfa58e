"""Proof tests of interlocks: begin one, record its steps, give it up. Each act is a transaction, audited.

A person makes each cause happen; the events of the gateway say whether it voted. A run belongs to the rule
that the gateway runs: with another rule it proves nothing.
"""

from dataclasses import dataclass
from datetime import datetime

from cloud.identity.acts import Act, ActError, ForbiddenError, MissingError
from cloud.interlock_rules import Configured, configured
from cloud.store import control_status, proofs, shadow
from cloud.store.connection import Connection
from cloud.store.proofs import Proof
from cloud.store.shadow import Owner
from cloud.store.ticks import tick_of_datetime
from rules.interlock.inputs import Moment
from rules.interlock.model import Interlock
from rules.interlock.plan import fingerprint
from rules.interlock.proof import (
    ProofDue,
    ProofRun,
    abandon_proof,
    begin_proof,
    proof_due,
    record_step,
    watch_proof,
)
from rules.interlock.reasons import Because
from rules.interlock.state import Change, ChangeKind
from rules.permissions import Permission
from wire.messages import as_text

NOTE_MAX = 500
_HUB = "hub"
_KINDS = {"interlock_voted": ChangeKind.VOTED, "interlock_enabled": ChangeKind.ENABLED}


@dataclass(frozen=True, slots=True)
class Provable:
    """An interlock as it can be proved."""

    owner: Owner
    known: Configured
    rule: Interlock
    fingerprint: str


async def provable(connection: Connection, gateway: str, interlock: str, *, at: datetime) -> Provable:
    """Return an interlock with the rule that runs; `MissingError`, and `ActError` where the hub lacks it."""
    owner = await shadow.owner(connection, gateway, at)
    if owner is None:
        raise MissingError("gateway", gateway, "an existing gateway")
    known = await configured(connection, owner)
    rule = known.find(interlock)
    if rule is None:
        raise MissingError("interlock", interlock, "an interlock of the settings that run")
    return Provable(owner, known, rule, fingerprint(rule))


async def begin(act: Act, gateway: str, interlock: str) -> int:
    """Begin a proof test and return its id; one at a time."""
    found = await _allowed(act, gateway, interlock)
    held = await control_status.get_held(act.connection, gateway, act.at)
    running = {one.name: one.rule for one in held.status.interlocks} if held and held.is_known(act.at) else {}
    if running.get(interlock) != found.fingerprint:
        raise ActError("interlock", interlock, "one that the gateway runs as the settings here have it")
    if await proofs.under_way(act.connection, found.owner.id, interlock, hold=True) is not None:
        raise ActError("interlock", interlock, "one whose proof test is not under way")
    run = begin_proof(found.rule, found.fingerprint, by=as_text(act.viewer.login or "nobody"), at=_at(act.at))
    made = await proofs.begin(act.connection, found.owner, run, at=act.at)
    await _note(act, found, "proof.begin", new={"proof": made, "rule": found.fingerprint})
    return made


async def record(act: Act, gateway: str, interlock: str, *, passed: bool, note: str) -> ProofRun:
    """Record how the step that is to be done went; it did not pass where the interlock saw nothing."""
    found = await _allowed(act, gateway, interlock)
    proof = await _under_way(act, found)
    if len(note) > NOTE_MAX:
        raise ActError("note", note, f"a text of at most {NOTE_MAX} characters")
    if proof.run.rule != found.fingerprint:
        raise ActError("interlock", interlock, "the rule that the proof test began with: give it up")
    run = await seen(act.connection, proof, found.rule)
    step = run.step
    run = record_step(run, at=_at(act.at), passed=passed, note=note)
    await proofs.keep(act.connection, proof.id, run, ended_at=None if run.ended is None else act.at)
    result = run.results[-1]
    new: dict[str, object] = {
        "proof": proof.id,
        "step": "" if step is None else f"{step.kind} {step.name}".strip(),
        "passed": result.passed,
        "seen": result.seen,
    }
    await _note(act, found, "proof.record", new=new, why=note)
    return run


async def abandon(act: Act, gateway: str, interlock: str) -> None:
    """Give up the proof test under way: it proves nothing."""
    found = await _allowed(act, gateway, interlock)
    proof = await _under_way(act, found)
    await proofs.keep(act.connection, proof.id, abandon_proof(proof.run, _at(act.at)), ended_at=act.at)
    await _note(act, found, "proof.abandon", new={"proof": proof.id})


async def seen(connection: Connection, proof: Proof, rule: Interlock) -> ProofRun:
    """Return a run with what the gateway told since its step began; `rule` is the one that is proved."""
    run = proof.run
    since = proof.begun_at if not run.results else _moment(run.results[-1].at, proof.begun_at)
    told = await proofs.told_since(connection, proof.gateway_id, proof.interlock, since=since)
    names = {step.name for step in run.steps}
    changes = [
        Change(
            _KINDS[kind],
            run.begun,
            0,
            causes=tuple(name for name in names if _names(causes, name)),
            because=Because(reason) if reason in set(Because) else None,
        )
        for kind, causes, reason in told
    ]
    return watch_proof(run, changes, rule=rule)


def due(found: Provable, runs: list[Proof], at: datetime) -> ProofDue:
    """Return when the next proof test is due."""
    return proof_due(found.rule, found.fingerprint, runs=[one.run for one in runs], utc=tick_of_datetime(at))


def _names(causes: str, name: str) -> bool:
    """Whether a list of causes, as an event has it, holds one of this name."""
    return bool(name) and f", {name}, " in f", {causes}, "


def _at(at: datetime) -> Moment:
    tick = tick_of_datetime(at)
    return Moment(_HUB, tick, tick)


def _moment(at: Moment, begun_at: datetime) -> datetime:
    """Return a moment of the hub as a time of the same zone as another one."""
    return datetime.fromtimestamp((at.utc or at.tick) / 100, begun_at.tzinfo)


async def _allowed(act: Act, gateway: str, interlock: str) -> Provable:
    found = await provable(act.connection, gateway, interlock, at=act.at)
    if not act.viewer.may(Permission.CONTROL_HANDLE, found.owner.organisation_id, found.owner.site_id):
        raise ForbiddenError("gateway", gateway, f"the permission {Permission.CONTROL_HANDLE} there")
    return found


async def _under_way(act: Act, found: Provable) -> Proof:
    proof = await proofs.under_way(act.connection, found.owner.id, found.rule.name, hold=True)
    if proof is None:
        raise ActError("interlock", found.rule.name, "one whose proof test is under way")
    return proof


async def _note(act: Act, found: Provable, action: str, *, new: dict[str, object], why: str = "") -> None:
    await act.note(
        action,
        f"gateway {found.owner.name}",
        organisation_id=found.owner.organisation_id,
        new={"interlock": found.rule.name, **new},
        why=why,
    )
