"""What a gateway does with rights that come in: taken over whole, or refused whole with every reason.

Whatever is refused, what was in force stays in force. Nothing here asks when it came: the age of rights is
judged with each decision.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from rules.access.document import AccessRights, Change, Delta, Parts, Revocation, key_of
from rules.access.faults import PART_NAMES, Fault, faults_of, items_of
from rules.access.snapshot import Snapshot, digest_of, normalised, prepared, with_revocations
from rules.access.words import Effect
from wire.messages import Message
from wire.shadow import Revision

BYTES_MAX = 8 * 1024 * 1024
"""Of one change, before it is decoded."""
FAULTS_MAX = 100

Signed = Callable[[bytes], bool]
"""Whether the hub signed these bytes."""


class Refusal(StrEnum):
    """Why a change was not taken over."""

    TOO_LARGE = "too_large"
    UNSIGNED = "unsigned"
    MALFORMED = "malformed"
    OTHER_GATEWAY = "other_gateway"
    OLDER = "older"
    OTHER_BASE = "other_base"
    """A delta to rights that are not in force: the whole snapshot is needed."""
    CONTRADICTORY = "contradictory"


@dataclass(frozen=True, slots=True)
class Taken:
    """It is in force."""

    snapshot: Snapshot
    changed: bool = True
    """False when it was in force already."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What was in force stays; the hub is told this."""

    refusal: Refusal
    faults: tuple[Fault, ...]
    revision: Revision | None = None
    """Of what was refused, when it could be read."""


class Kept(Message, frozen=True, forbid_unknown_fields=True):
    """A snapshot as it is kept over a restart."""

    document: AccessRights
    revocations: tuple[Revocation, ...] = ()


_decoder: msgspec.json.Decoder[Change] = msgspec.json.Decoder(Change)
_kept = msgspec.json.Decoder(Kept)
_encoder = msgspec.json.Encoder()


def receive(current: Snapshot | None, body: bytes, *, gateway: str, signed: Signed) -> Taken | Refused:
    """Take over what came in, or refuse it; `current` is what is in force."""
    if len(body) > BYTES_MAX:
        return _refused(Refusal.TOO_LARGE, Fault("size", f"{len(body)} bytes", f"at most {BYTES_MAX}"))
    if not signed(body):
        fault = Fault("signature", "not the hub's", "one by a key of this gateway's hub")
        return _refused(Refusal.UNSIGNED, fault)
    try:
        change = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        fault = Fault("body", str(error)[:200], "a snapshot, delta or revocation")
        return _refused(Refusal.MALFORMED, fault)
    return take(current, change, gateway=gateway)


def take(current: Snapshot | None, change: Change, *, gateway: str) -> Taken | Refused:
    """Take over a change whose signature is good, or refuse it."""
    if change.gateway != gateway:
        return _refused(Refusal.OTHER_GATEWAY, Fault("gateway", change.gateway, gateway), change.revision)
    if isinstance(change, AccessRights):
        return _snapshot(current, change)
    if current is None:
        fault = Fault("base", "no rights here", "a snapshot first")
        return _refused(Refusal.OTHER_BASE, fault, change.revision)
    return _delta(current, change) if isinstance(change, Delta) else _revocation(current, change)


def kept(snapshot: Snapshot) -> bytes:
    """Return a snapshot as bytes that outlast a restart."""
    return _encoder.encode(Kept(document=snapshot.document, revocations=snapshot.revocations))


def restored(body: bytes, *, gateway: str) -> Taken | Refused:
    """Return the snapshot that `kept` gave these bytes for; they are checked like those that come in."""
    try:
        found = _kept.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _refused(Refusal.MALFORMED, Fault("body", str(error)[:200], "what was kept"))
    taken = take(None, found.document, gateway=gateway)
    if isinstance(taken, Refused):
        return taken
    return Taken(with_revocations(taken.snapshot, found.revocations))


def _snapshot(current: Snapshot | None, document: AccessRights) -> Taken | Refused:
    document = normalised(document)
    if current is not None and document.revision.order <= current.revision.order:
        same = document.revision == current.revision
        if same and digest_of(document) == current.digest:
            return Taken(current, changed=False)
        value = f"{_text(document.revision)} {'with other rights' if same else ''}".strip()
        refusal = Refusal.CONTRADICTORY if same else Refusal.OLDER
        fault = Fault("revision", value, f"after {_text(current.revision)}")
        return _refused(refusal, fault, document.revision)
    return _checked(current, document)


def _checked(current: Snapshot | None, document: AccessRights) -> Taken | Refused:
    faults = faults_of(document)
    if faults:
        return Refused(Refusal.CONTRADICTORY, tuple(faults[:FAULTS_MAX]), document.revision)
    made = prepared(document)
    return Taken(made if current is None else with_revocations(made, current.revocations))


def _delta(current: Snapshot, delta: Delta) -> Taken | Refused:
    if delta.revision.order <= current.revision.order:
        if delta.revision == current.revision and delta.digest == current.digest:
            return Taken(current, changed=False)
        fault = Fault("revision", _text(delta.revision), f"after {_text(current.revision)}")
        return _refused(Refusal.OLDER, fault, delta.revision)
    if delta.base != current.revision:
        fault = Fault("base", _text(delta.base), f"{_text(current.revision)}, which is in force")
        return _refused(Refusal.OTHER_BASE, fault, delta.revision)
    faults = _delta_faults(current.document, delta)
    if faults:
        return Refused(Refusal.CONTRADICTORY, tuple(faults[:FAULTS_MAX]), delta.revision)
    taken = _checked(current, applied(current.document, delta))
    if isinstance(taken, Taken) and taken.snapshot.digest != delta.digest:
        fault = Fault("digest", delta.digest.hex()[:16], "that of what comes out")
        return _refused(Refusal.CONTRADICTORY, fault, delta.revision)
    return taken


def applied(document: AccessRights, delta: Delta) -> AccessRights:
    """Return the normalised rights that a delta makes of other normalised ones."""
    changes: dict[str, Any] = {"revision": delta.revision, "issued_at_ms": delta.issued_at_ms}
    for name in PART_NAMES:
        gone = delta.drop.get(name, ())
        put = items_of(delta.put, name)
        if gone or put:
            items = {key_of(item): item for item in items_of(document, name)}
            items.update((key_of(item), item) for item in put)
            changes[name] = tuple(items[key] for key in sorted(items.keys() - set(gone)))
    return msgspec.structs.replace(document, **changes)


def delta_between(old: AccessRights, new: AccessRights) -> Delta | None:
    """Return what makes `new` of `old`; None when that takes a whole snapshot."""
    fixed = ("gateway", "max_age_s", "key_id", "time_zone", "offsets")
    if any(getattr(old, name) != getattr(new, name) for name in fixed):
        return None
    put: dict[str, Any] = {}
    drop: dict[str, tuple[str, ...]] = {}
    for name in PART_NAMES:
        before = {key_of(item): item for item in items_of(old, name)}
        after = {key_of(item): item for item in items_of(new, name)}
        put[name] = tuple(after[key] for key in sorted(after) if before.get(key) != after[key])
        if gone := sorted(before.keys() - after.keys()):
            drop[name] = tuple(gone)
    return Delta(
        gateway=new.gateway,
        base=old.revision,
        revision=new.revision,
        issued_at_ms=new.issued_at_ms,
        digest=digest_of(normalised(new)),
        put=Parts(**put),
        drop=drop,
    )


def _delta_faults(document: AccessRights, delta: Delta) -> list[Fault]:
    faults = [
        Fault("drop", name, f"one of {', '.join(PART_NAMES)}")
        for name in sorted(delta.drop.keys() - set(PART_NAMES))
    ]
    for name in PART_NAMES:
        known = {key_of(item) for item in items_of(document, name)}
        put = Counter(key_of(item) for item in items_of(delta.put, name))
        gone = delta.drop.get(name, ())
        faults += [Fault(f"put {name}", key, "each once") for key, times in put.items() if times > 1]
        faults += [Fault(f"drop {name}", key, "one that is there") for key in gone if key not in known]
        faults += [Fault(f"drop {name}", key, "not to be put as well") for key in gone if key in put]
    return faults


def _revocation(current: Snapshot, revocation: Revocation) -> Taken | Refused:
    if revocation.revision.order <= current.revision.order:
        return Taken(current, changed=False)
    for known in current.revocations:
        if known.revision == revocation.revision:
            if known == revocation:
                return Taken(current, changed=False)
            fault = Fault("revision", _text(known.revision), "one content for a revision")
            return _refused(Refusal.CONTRADICTORY, fault, known.revision)
    denies = _denies(current, revocation.rights)
    if denies:
        faults = tuple(Fault("rights", one, "no right that denies") for one in denies)
        return Refused(Refusal.CONTRADICTORY, faults[:FAULTS_MAX], revocation.revision)
    return Taken(with_revocations(current, (revocation,)))


def _denies(current: Snapshot, ids: Iterable[str]) -> list[str]:
    wanted = set(ids)
    rights = current.document.rights if wanted else []
    return [right.id for right in rights if right.id in wanted and right.effect is Effect.DENY]


def _text(revision: Revision) -> str:
    return f"{revision.incarnation}.{revision.number}"


def _refused(refusal: Refusal, fault: Fault, revision: Revision | None = None) -> Refused:
    return Refused(refusal, (fault,), revision)
