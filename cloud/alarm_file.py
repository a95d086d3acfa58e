"""Reads a file that says all about alarms: ways, templates with their points, who is called; and applies it.

TOML, in words and seconds (docs/reference/alarms.md). It is applied whole or not at all; what is there
already as the file says it makes no revision.
"""

import tomllib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec
from msgspec import Struct

from cloud import alarm_manage
from cloud.alarm_documents import (
    ChainText,
    PolicyText,
    RouteText,
    RuleText,
    rules_of,
    rules_text,
)
from cloud.identity.acts import Act, ActError
from cloud.shapes import misshapen
from cloud.store import accounts, alarm_points, alarm_templates
from cloud.store.alarm_points import WatchedPoint
from cloud.store.sites import list_sites
from rules.alarm.policy import Policy

POINTS_MAX = 10_000
BYTES_MAX = 1024 * 1024


class FileTemplate(Struct, frozen=True, forbid_unknown_fields=True):
    """A template and what it watches: `points` are `site/point`, with `*` for any stretch."""

    name: str
    rules: list[RuleText]
    quantity: str = ""
    points: list[str] = []


class FileWay(Struct, frozen=True, forbid_unknown_fields=True):
    """A way by which people are told."""

    name: str
    kind: str
    target: str
    key: str = ""
    language: str = "zh"


class FilePolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """Who is called for the alarms of sites."""

    sites: list[str]
    chains: dict[str, ChainText]
    routes: list[RouteText]
    shelf_max_s: float = 86_400.0
    digest_s: float = 180.0


class AlarmFile(Struct, frozen=True, forbid_unknown_fields=True):
    """All of it."""

    organisation: str
    reason: str
    way: list[FileWay] = []
    template: list[FileTemplate] = []
    policy: list[FilePolicy] = []


class AlarmFileError(ValueError):
    """A file that cannot be read; the text names the place."""


def read_alarm_file(path: Path) -> AlarmFile:
    """Return what a file says; `AlarmFileError`, `OSError`."""
    text = path.read_bytes()
    if len(text) > BYTES_MAX:
        raise AlarmFileError(f"{path}: expected at most {BYTES_MAX} bytes")
    try:
        given = tomllib.loads(text.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise AlarmFileError(f"{path}: {error}") from None
    try:
        return msgspec.convert(given, AlarmFile, strict=False)
    except msgspec.ValidationError as error:
        raise AlarmFileError(f"{path}: {misshapen(error, given, AlarmFile)}") from None


async def apply_file(act: Act, file: AlarmFile, *, local: bool = False) -> list[str]:
    """Apply a file and return a line for each thing that changed; `ActError` undoes all of it.

    `local`: whether hooks may lead to the hub's own machine.
    """
    bodies = {name: number for number, name in (await accounts.all_organisations(act.connection)).items()}
    organisation_id = bodies.get(file.organisation)
    if organisation_id is None:
        raise ActError("organisation", file.organisation, f"one of {', '.join(bodies) or 'none yet'}")
    lines = []
    for way in file.way:
        await alarm_manage.save_channel(
            act,
            organisation_id,
            way.name,
            kind=way.kind,
            target=way.target,
            key=way.key,
            language=way.language,
            local=local,
        )
        lines.append(f"way {way.name}")
    for template in file.template:
        lines += await _template(act, organisation_id, template, reason=file.reason)
    for policy in file.policy:
        lines += await _policy(act, file.organisation, policy, reason=file.reason)
    return lines


async def _template(act: Act, organisation_id: int, one: FileTemplate, *, reason: str) -> list[str]:
    known = await alarm_templates.find_template(act.connection, organisation_id, one.name)
    wanted = alarm_manage.written_rules(one.rules)
    lines = []
    if known is None or known.quantity != one.quantity or _stored(known.rules) != wanted:
        number = await alarm_manage.save_template(
            act, organisation_id, one.name, quantity=one.quantity, rules=one.rules, reason=reason
        )
        lines.append(f"template {one.name}, revision {number}")
    ids = await _points(act, one)
    if ids:
        for start in range(0, len(ids), alarm_manage.POINTS_MAX):
            part = ids[start : start + alarm_manage.POINTS_MAX]
            await alarm_manage.apply_template(act, organisation_id, one.name, point_ids=part, reason=reason)
        lines.append(f"template {one.name} watches {len(ids)} more points")
    return lines


async def _points(act: Act, one: FileTemplate) -> list[int]:
    """Return the points that a template of the file is to watch and does not; a pattern must fit one."""
    known = await alarm_points.list_points(act.connection, limit=POINTS_MAX)
    chosen: dict[int, WatchedPoint] = {}
    for pattern in one.points:
        fits = [
            point
            for point in known
            if fnmatchcase(f"{point.site}/{point.name}", pattern) and one.quantity in ("", point.quantity)
        ]
        if not fits:
            raise ActError(
                f"template {one.name}, points", pattern, "a pattern that fits points of its quantity"
            )
        chosen |= {point.id: point for point in fits}
    return [point.id for point in chosen.values() if point.template != one.name]


async def _policy(act: Act, organisation: str, one: FilePolicy, *, reason: str) -> list[str]:
    sites = {
        site.name: site.id for site in await list_sites(act.connection) if site.organisation == organisation
    }
    written = PolicyText(one.chains, one.routes, one.shelf_max_s, one.digest_s)
    lines = []
    for name in one.sites:
        if name not in sites:
            raise ActError("policy, sites", name, f"one of {', '.join(sites) or 'none yet'}")
        before = await alarm_templates.policies(act.connection, sites[name])
        if before and _stored_policy(before[0].policy) == alarm_manage.written_policy(written):
            continue
        number = await alarm_manage.save_policy(act, sites[name], written, reason=reason)
        lines.append(f"policy of {name}, revision {number}")
    return lines


def _stored(rules: Sequence[dict[str, object]]) -> object:
    return rules_of(rules_text(rules))


def _stored_policy(policy: dict[str, object]) -> Policy:
    return msgspec.convert(policy, Policy, strict=False)
