"""What is wrong with a limit set or a plan, all of it, before it is saved."""

from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct

from rules.jobs.model import Job, LimitSet


class Fault(Struct, frozen=True):
    """One thing that is wrong: where, what stands there, what was expected."""

    path: str
    value: str
    expectation: str


def limit_faults(limits: LimitSet) -> tuple[Fault, ...]:
    """Return what is wrong with a limit set."""
    faults = [*_named("method", limits.method)]
    if limits.version < 1:
        faults.append(Fault("version", str(limits.version), "1 or more"))
    if limits.people_min < 1:
        faults.append(Fault("people_min", str(limits.people_min), "1 or more"))
    seen: set[str] = set()
    for number, limit in enumerate(limits.limits):
        path = f"limits.{number}"
        faults.extend(_named(f"{path}.quantity", limit.quantity))
        if limit.quantity in seen:
            faults.append(Fault(f"{path}.quantity", limit.quantity, "each quantity once"))
        seen.add(limit.quantity)
        faults.extend(_bounds(path, limit.low, limit.high))
    return tuple(faults)


def job_faults(job: Job, limits: LimitSet) -> tuple[Fault, ...]:
    """Return what is wrong with a plan under the limit set that it names."""
    faults = [*_named("id", job.id), *_named("zone", job.zone)]
    if (job.method, job.limits_version) != (limits.method, limits.version):
        value = f"{job.method}, version {job.limits_version}"
        faults.append(Fault("limits_version", value, f"{limits.method}, version {limits.version}"))
    if job.planned.end <= job.planned.start:
        value = f"{job.planned.start} to {job.planned.end}"
        faults.append(Fault("planned", value, "an end after the start"))
    for path, names in (("people", job.people), ("instruments", job.instruments)):
        if len(set(names)) < len(names) or not all(name.strip() for name in names):
            faults.append(Fault(path, ", ".join(names), "each once, none empty"))
    if len(set(job.people)) < limits.people_min:
        faults.append(Fault("people", ", ".join(job.people), f"at least {limits.people_min}"))
    return tuple(faults)


def _named(path: str, value: str) -> Iterator[Fault]:
    if not value.strip():
        yield Fault(path, value, "a name")


def _bounds(path: str, low: Decimal | None, high: Decimal | None) -> Iterator[Fault]:
    bounds = [bound for bound in (low, high) if bound is not None]
    if not bounds or not all(bound.is_finite() for bound in bounds):
        yield Fault(path, f"{low} to {high}", "a number for low, high or both")
    elif low is not None and high is not None and low >= high:
        yield Fault(path, f"{low} to {high}", "low below high")
