"""Words of causes in Chinese, as they are shown; what is kept and told stays as `cause_words` wrote it."""

import re
from collections.abc import Callable

_NUMBER = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"
_VALUE = rf"{_NUMBER}(?: \S+)?"
_DELAYED = re.compile(rf"(?P<cause>.+) for (?P<time>{_NUMBER}) s", re.DOTALL)
_EVENT = re.compile(r"event (?P<kind>\S+)(?: of (?P<subject>.+))?", re.DOTALL)
_STATES = re.compile(r"(?P<point>.+) not (?P<states>-?\d+(?: or -?\d+)*)", re.DOTALL)
_LIMIT = re.compile(
    rf"(?P<point>.+?) (?P<sides>(?:below (?P<low>{_VALUE}))?(?: or )?(?:above (?P<high>{_VALUE}))?)"
    r"(?P<guarded>, uncertainty counted in)?",
    re.DOTALL,
)
_PLAIN = tuple(
    (re.compile(english, re.DOTALL), chinese)
    for english, chinese in (
        (r"output (?P<name>.+) is not what it was told to be", "输出 {name} 与指令不符"),
        (r"calibration of (?P<point>.+) overdue", "{point} 校准已过期"),
        (
            rf"(?P<point>.+) changes by more than (?P<change>{_VALUE}) in (?P<time>{_NUMBER}) s",
            "{point} 在 {time} s 内变化超过 {change}",
        ),
        (r"(?P<point>.+) not heard", "{point} 没有读数"),
        (r"(?P<device>.+) not checked", "{device} 尚未核查"),
    )
)


def chinese(words: str, *, event: Callable[[str], str] = str) -> str | None:
    """Return a cause in Chinese; None: these are not words that causes have. `event` says kinds of events."""
    delayed = _DELAYED.fullmatch(words)
    said = None if delayed is None else _condition(delayed["cause"], event)
    if delayed is not None and said is not None:
        return f"{said} 持续 {delayed['time']} s"
    return _condition(words, event)


def _condition(words: str, event: Callable[[str], str]) -> str | None:
    if found := _EVENT.fullmatch(words):
        kind = event(found["kind"])
        return f"{found['subject']} 发生事件:{kind}" if found["subject"] else f"发生事件:{kind}"
    for pattern, sentence in _PLAIN:
        if found := pattern.fullmatch(words):
            return sentence.format(**found.groupdict())
    if found := _STATES.fullmatch(words):
        return f"{found['point']} 不是 {found['states'].replace(' or ', ' 或 ')}"
    found = _LIMIT.fullmatch(words)
    if found is None or not found["sides"].strip():
        return None
    sides = [f"低于 {found['low']}"] if found["low"] else []
    sides += [f"高于 {found['high']}"] if found["high"] else []
    guard = "(计入不确定度)" if found["guarded"] else ""
    return f"{found['point']} {' 或 '.join(sides)}{guard}"
