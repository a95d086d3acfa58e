"""The panel as HTML: what a state looks like. Pure; everything that it is given is escaped."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode

from edge.panel.words import (
    ACTS,
    CAUSES,
    DOORS,
    EFFECTS,
    PHASES,
    REASONS,
    WHY,
    Language,
    duration,
    left_words,
    own,
    say,
    word,
)
from rules.access.roll_call import Called
from rules.interlock.reasons import Reason
from rules.interlock.sentences import chinese
from rules.interlock.state import Phase
from wire.control import CauseNow, EffectNow, InterlockNow, PortalNow, UnmetNow

SHAPES = {"good": "●", "bad": "▲", "wait": "◆"}
LOOKS = {Phase.HEALTHY: "good", Phase.TRIPPED: "bad"}
FORM_S = 60
READ_BACK = "@output/"
"""Begins the names of causes that are the read-back of an output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Everything that the page shows at one moment."""

    interlocks: Sequence[InterlockNow]
    portals: Sequence[PortalNow]
    lock_downs: Sequence[str]
    people: Sequence[Called] | None
    """None: the roll-call is not shown."""
    now_ms: int | None
    takes: bool
    """Whether cards are taken: without a reader nothing can be asked here."""


def page(title: str, body: str, language: Language, *, live: str = "", home_s: int = 0) -> bytes:
    """Return a whole page; `live` is where its content comes from every second, without a script every 5."""
    again = '<noscript><meta http-equiv="refresh" content="5"></noscript>' if live else ""
    if home_s:
        again = f'<noscript><meta http-equiv="refresh" content="{home_s};url=/"></noscript>'
    other = "zh" if language == "en" else "en"
    marks = (f' data-live="{live}"' if live else "") + (f' data-home="{home_s}"' if home_s else "")
    lang = "zh-CN" if language == "zh" else "en"
    return f"""<!doctype html>
<html lang="{lang}"><head><meta charset="utf-8"><title>{escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">{again}
<link rel="stylesheet" href="/panel.css">
<script type="module" src="/panel.js"></script></head>
<body><header><h1>{escape(title)}</h1>
<a href="/?lang={other}" hreflang="{other}">{own("language", language)}</a></header>
<p class="stale" role="alert">{own("stale", language)}</p>
<main{marks}>{body}</main>
<footer>{own("limits", language)}</footer></body></html>""".encode()


def overview(shown: Shown, language: Language) -> str:
    """Return what stands in the page that shows everything."""
    parts = [_lock_down(one, language) for one in shown.lock_downs]
    wrong_first = sorted(shown.interlocks, key=lambda one: one.phase == Phase.HEALTHY)
    parts += [_interlock(one, shown, language) for one in wrong_first]
    if not shown.interlocks:
        parts.append(f'<p class="dim">{own("no_interlocks", language)}</p>')
    if shown.portals:
        parts.append(_doors(shown.portals, language))
    if shown.people is not None:
        parts.append(_people(shown.people, shown.now_ms, language))
    note = "" if shown.takes else f'<p class="dim">{own("no_reader", language)}</p>'
    return f'<div class="grid">{"".join(parts)}</div>{note}'


def _lock_down(zone: str, language: Language) -> str:
    where = own("everywhere", language) if zone == "*" else zone
    return (
        f'<section class="card bad"><p class="state">{SHAPES["bad"]} {own("lock_down", language)}</p>'
        f"<p>{escape(where)}</p></section>"
    )


def _interlock(now: InterlockNow, shown: Shown, language: Language) -> str:
    look = LOOKS.get(Phase(now.phase), "wait") if now.phase in set(Phase) else "wait"
    state = f"{SHAPES[look]} {word(PHASES, now.phase, language)}"
    lines = [f"<h2>{escape(now.title or now.name)}</h2>", f'<p class="state">{escape(state)}</p>']
    if now.first_out:
        lines.append(f"<p><strong>{own('why', language)}:</strong> {_first_out(now, language)}</p>")
    if now.tripped_at_ms is not None and shown.now_ms is not None and now.phase != Phase.HEALTHY:
        passed = duration((shown.now_ms - now.tripped_at_ms) / 1000, language)
        lines.append(f'<p class="dim">{own("since", language)} {passed}</p>')
    if now.acknowledged_by:
        lines.append(f"<p>{own('acknowledged', language)}: {escape(now.acknowledged_by)}</p>")
    lines += _unmet(now, language)
    if shown.takes and (act := next_act(now)):
        lines.append(_act_link(now, act, language))
    lines += _votes(now, language)
    lines += _effects(now.effects, language)
    return f'<section class="card {look}">{"".join(lines)}</section>'


def next_act(now: InterlockNow) -> str:
    """Return what a person can ask next; empty: nothing."""
    match now.phase:
        case Phase.TRIPPED | Phase.READY_TO_RESET if not now.acknowledged_by:
            return "acknowledge"
        case Phase.READY_TO_RESET:
            return "reset"
        case Phase.RESET:
            return "enable"
        case _:
            return ""


def _act_link(now: InterlockNow, act: str, language: Language) -> str:
    query = urlencode({"interlock": now.name, "act": act, "breach": now.breach})
    label = word(ACTS, act, language)
    return (
        f'<p class="acts"><a class="button main" id="act-{escape(now.name)}" href="/act?{escape(query)}">'
        f"{label}</a></p>"
    )


def _first_out(now: InterlockNow, language: Language) -> str:
    """Why it tripped: what was read then, not what the rule watches; the name where that was not told."""
    votes = {vote.name: vote.words for vote in now.first_votes}
    found = []
    for name in now.first_out:
        words = votes.get(name, "")
        found.append(say(WHY[name], language) if name in WHY else _said(words, language) or name)
    return escape(", ".join(found))


def _said(words: str, language: Language) -> str:
    return (chinese(words) if language == "zh" else None) or words


def _cause_name(cause: CauseNow | None, name: str, language: Language) -> str:
    if cause is None:
        return name
    value = f" ({cause.value})" if cause.value else ""
    return f"{_cause_words(cause, language)}{value}"


def _cause_words(cause: CauseNow, language: Language) -> str:
    if cause.name.startswith(READ_BACK):
        return f"{cause.name.removeprefix(READ_BACK)} {own('not_obeyed', language)}"
    return _said(cause.words, language) or cause.name


def _unmet(now: InterlockNow, language: Language) -> Iterator[str]:
    if now.phase not in (Phase.TRIPPED, Phase.READY_TO_RESET, Phase.RESET):
        return
    if not now.unmet:
        yield f"<p>{own('ready', language)}</p>"
        return
    yield f"<h3>{own('missing', language)}</h3><ul>"
    causes = {cause.name: cause for cause in now.causes}
    for one in now.unmet:
        cause = causes.get(one.cause)
        name = f"{_cause_name(cause, one.cause, language)}: " if one.cause else ""
        yield f"<li>{escape(name)}{word(REASONS, one.reason, language)}{_unmet_more(one, language)}</li>"
    yield "</ul>"


def _unmet_more(one: UnmetNow, language: Language) -> str:
    """What was outside and how long it still takes; that of what is not steady does not run yet."""
    why = escape(_said(one.words, language))
    if one.reason == Reason.NOT_STEADY:
        time = "" if one.remaining_s is None else duration(one.remaining_s, language)
        then = f", {own('then', language)} {time} {own('unbroken', language)}" if time else ""
        return (f": {why}" if why else "") + then
    left = "" if one.remaining_s is None else f", <strong>{left_words(one.remaining_s, language)}</strong>"
    return left + (f" ({own('anew', language)} {why})" if why else "")


def _votes(now: InterlockNow, language: Language) -> Iterator[str]:
    if not now.groups:
        return
    yield f"<h3>{own('votes', language)}</h3><table>"
    for group in now.groups:
        name = own("outputs", language) if group.name.startswith("@") else group.name
        mark = ' class="bad-word"' if group.votes and group.votes >= group.needed else ""
        count = f"{group.votes} {own('of', language)} {group.of} ({own('needed', language)} {group.needed})"
        yield f"<tr{mark}><th>{escape(name)}</th><td>{count}</td></tr>"
        for cause in now.causes:
            if cause.group == group.name:
                yield _cause_row(cause, language)
    yield "</table>"


def _cause_row(cause: CauseNow, language: Language) -> str:
    state = word(CAUSES, cause.state, language)
    if cause.stale:
        state = word(REASONS, "stale", language)
    if cause.said:
        state += f" – {_said(cause.said, language)}"
    if cause.bypassed:
        state += f" – {own('bypassed', language)}"
    mark = SHAPES["bad"] if cause.votes else SHAPES["good"] if cause.state == "normal" else SHAPES["wait"]
    value = f" <strong>{escape(cause.value)}</strong>" if cause.value else ""
    return f"<tr><td>{mark} {escape(_cause_words(cause, language))}</td><td>{escape(state)}{value}</td></tr>"


def _effects(effects: Sequence[EffectNow], language: Language) -> Iterator[str]:
    if not effects:
        return
    yield f"<h3>{own('effects', language)}</h3><ul>"
    for one in effects:
        kind = word(EFFECTS, one.kind, language) if one.safe else own("released", language)
        if one.confirmed is None:
            sure = ""
        else:
            sure = f" ({own('confirmed' if one.confirmed else 'unconfirmed', language)})"
        mark = ' class="bad-word"' if one.confirmed is False else ""
        yield f"<li{mark}>{escape(one.target)}: {kind}{sure}</li>"
    yield "</ul>"


def _doors(portals: Sequence[PortalNow], language: Language) -> str:
    rows = []
    for one in portals:
        words = [word(DOORS, one.contact, language), word(DOORS, one.lock, language)]
        bad = [own("forced", language)] if one.forced else []
        bad += [own("held", language)] if one.held else []
        locked = ", ".join(
            own("lock_down", language) if name == "lock_down" else name for name in one.locked_by
        )
        more = f' <span class="wait-word">◆ {escape(locked)}</span>' if locked else ""
        alarm = f' <span class="bad-word">▲ {", ".join(bad)}</span>' if bad else ""
        rows.append(f"<tr><th>{escape(one.name)}</th><td>{', '.join(words)}{more}{alarm}</td></tr>")
    return f'<section class="card"><h2>{own("doors", language)}</h2><table>{"".join(rows)}</table></section>'


def _people(people: Sequence[Called], now_ms: int | None, language: Language) -> str:
    rows = []
    for one in people[:100]:
        marks = [own(name, language) for name in ("visitor", "safe", "doubtful") if getattr(one, name)]
        since = "" if now_ms is None else duration((now_ms - one.since_ms) / 1000, language)
        note = f" ({', '.join(marks)})" if marks else ""
        who = escape(one.name or one.person)
        rows.append(f"<tr><td>{who}{note}</td><td>{escape(one.zone)}</td><td>{since}</td></tr>")
    body = f"<table>{''.join(rows)}</table>" if rows else f'<p class="dim">{own("nobody", language)}</p>'
    return f'<section class="card"><h2>{own("inside", language)}: {len(people)}</h2>{body}</section>'


# --- asking -------------------------------------------------------------------------------------------


def card_line(left_s: float | None, language: Language) -> str:
    """Return whether a card was shown, and for how long it counts."""
    if left_s is None:
        return f'<p class="wait-word">{SHAPES["wait"]} {own("card_none", language)}</p>'
    return f"<p>{SHAPES['good']} {own('card_there', language)} ({left_words(left_s, language)})</p>"


def act_form(now: InterlockNow, act: str, language: Language, *, card: str) -> str:
    """Return the form by which somebody asks for an act."""
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(str(value))}">'
        for name, value in (("interlock", now.name), ("act", act), ("breach", now.breach))
    )
    return f"""<h2>{escape(now.title or now.name)}: {word(ACTS, act, language)}</h2>
<p>{own("show_card", language)}</p><div data-live="/card">{card}</div>
<form method="post" action="/act" autocomplete="off">{hidden}
<p><label for="pin">{own("enter_pin", language)}</label></p>
<p><input id="pin" name="pin" type="password" inputmode="numeric" pattern="[0-9]*" maxlength="16"
 autocomplete="off" required autofocus aria-label="{own("pin", language)}"></p>
<div class="keys" data-keys="{own("clear", language)}"></div>
<p class="acts"><button class="main">{word(ACTS, act, language)}</button>
<a class="button" href="/">{own("cancel", language)}</a></p></form>"""


def outcome(text: str, words: str, language: Language, *, good: bool) -> str:
    """Return what became of an act; `text` is a sentence of a device or disk, in English."""
    look = "good" if good else "bad"
    more = f'<p lang="en">{escape(text)}</p>' if text else ""
    head = words if good else f"{own('refused', language)}: {words}"
    return (
        f'<section class="card {look}" role="status"><p class="state">{SHAPES[look]} {escape(head)}</p>{more}'
        f'<p class="acts"><a class="button main" href="/" autofocus>{own("back", language)}</a></p></section>'
    )
