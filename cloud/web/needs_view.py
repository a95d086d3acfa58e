"""What needs a person as lines of a page: what, where, since when, where it is settled. Pure; no markup."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from cloud.store.sites import Site
from cloud.web.broken_words import say_parts
from cloud.web.figures import grouped, milliseconds
from cloud.web.interlocks_words import say_first_out
from cloud.web.language import Language
from cloud.web.needs import Group, Need, Needs
from cloud.web.render import zone_of
from cloud.web.values import clock_text, since_text
from cloud.web.words import mark

FEW = 8
"""So many lines of each group are shown; how many more there are is said and counted."""
SINCE = mark("since %(time)s")
ABOUT = mark("%(about)s: %(what)s")
MORE: Mapping[Group, str] = {
    Group.INTERLOCK: mark("and %(count)s more interlocks"),
    Group.ALARM: mark("and %(count)s more alarms"),
    Group.RIGHTS: mark("and %(count)s more gateways that may honour what was ended"),
    Group.JOB: mark("and %(count)s more held jobs"),
    Group.HUB_INTERLOCK: mark("and %(count)s more interlocks of the hub"),
    Group.POWER: mark("and %(count)s more remarks of supplies"),
    Group.CONTROL: mark("and %(count)s more gateways that do not tell what they control"),
    Group.BROKEN: mark("and %(count)s more gateways whose control is broken"),
    Group.COMMAND: mark("and %(count)s more commands that wait for a second person"),
}
LISTS: Mapping[Group, str] = {
    Group.INTERLOCK: "/interlocks",
    Group.ALARM: "/alarms",
    Group.RIGHTS: "/doors/gateways",
    Group.JOB: "/jobs?state=held",
    Group.HUB_INTERLOCK: "/hub-interlocks",
    Group.POWER: "/devices",
    Group.CONTROL: "/interlocks",
    Group.BROKEN: "/interlocks",
    Group.COMMAND: "/interlocks",
}


@dataclass(frozen=True, slots=True)
class NeedLine:
    """One line; without a word it says how many more there are."""

    key: str
    kind: str
    word: str
    text: str
    where: str
    since: str
    at: int | None
    """Since when, ms since 1970; None: it is not known."""
    clock: str
    href: str


@dataclass(frozen=True, slots=True)
class NeedList:
    """The lines of a page, and how many things they stand for."""

    total: int
    lines: Sequence[NeedLine]


def need_list(
    needs: Needs, sites: Sequence[Site], language: Language, *, now: datetime, one_site: bool = False
) -> NeedList:
    """Return the lines of what needs a person at these sites; with `one_site` they do not name it."""
    known = {site.id: site for site in sites}
    shown = [one for one in needs.found if one.site_id in known]
    unlisted = sum(count for site, count in needs.unlisted.items() if site in known)
    lines, left = [], dict.fromkeys(Group, FEW)
    for one in shown:
        left[one.group] -= 1
        if left[one.group] >= 0:
            lines.append(_line(one, known[one.site_id], language, now=now, named=not one_site))
    only = f"?only={quote(sites[0].name, safe='')}" if one_site and sites else ""
    for group in Group:
        count = max(0, -left[group]) + (unlisted if group is Group.ALARM else 0)
        if count:
            href = LISTS[group] + (only if group is Group.ALARM else "")
            text = language.say(MORE[group]) % {"count": grouped(count)}
            lines.append(NeedLine(f"more-{group}", "", "", text, "", "", None, "", href))
    return NeedList(len(shown) + unlisted, lines)


def _line(need: Need, site: Site, language: Language, *, now: datetime, named: bool) -> NeedLine:
    zone = zone_of(site.time_zone)
    causes = (one.text for one in say_first_out(language, need.causes))
    where = [", ".join(causes), say_parts(language, need.parts), need.where, site.title if named else ""]
    since = need.since
    return NeedLine(
        key=need.key,
        kind=need.kind,
        word=language.say(need.word),
        text=_text(need, language),
        where=" · ".join(one for one in where if one),
        since=language.say(SINCE) % {"time": since_text(since, now, zone)} if since else "",
        at=None if since is None else milliseconds(since),
        clock=clock_text(since, zone) if since else "",
        href=need.href,
    )


def _text(need: Need, language: Language) -> str:
    if not need.about:
        return need.what
    about = language.say(need.about)
    if "%(what)s" in need.about:
        return about % {"what": need.what}
    return language.say(ABOUT) % {"about": about, "what": need.what}
