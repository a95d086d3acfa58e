"""Words of causes, and of why they voted, in Chinese as shown; what is kept stays as it was written."""

import re
from collections.abc import Callable, Mapping

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
_RANGE = rf"(?P<low>{_NUMBER}) to (?P<high>{_VALUE})"
_PLAIN = tuple(
    (re.compile(english, re.DOTALL), chinese)
    for english, chinese in (
        (
            rf"(?P<point>.+) was (?P<value>{_VALUE}), above (?P<limit>{_VALUE})",
            "{point} 为 {value},高于 {limit}",
        ),
        (
            rf"(?P<point>.+) was (?P<value>{_VALUE}), below (?P<limit>{_VALUE})",
            "{point} 为 {value},低于 {limit}",
        ),
        (
            rf"(?P<point>.+) was (?P<value>{_VALUE}) ± (?P<u>{_VALUE}), too near to (?P<limit>{_VALUE})",
            "{point} 为 {value} ± {u},离限值 {limit} 太近,无法判定",
        ),
        (
            rf"(?P<point>.+) was (?P<value>{_VALUE}), and its uncertainty is not known",
            "{point} 为 {value},不确定度未知",
        ),
        (
            rf"(?P<point>.+) was (?P<value>{_VALUE}), not far enough back from (?P<limit>{_VALUE})",
            "{point} 为 {value},尚未从限值 {limit} 充分恢复",
        ),
        (
            rf"mean (?P<value>{_VALUE})(?P<u> ± {_VALUE})? is not within {_RANGE}",
            "均值 {value}{u} 不在 {low} 至 {high} 之内",
        ),
        (rf"spread (?P<value>{_VALUE}) is above (?P<limit>{_VALUE})", "极差 {value} 高于 {limit}"),
        (
            rf"rate of change (?P<value>{_VALUE}) is above (?P<limit>{_VALUE})",
            "变化率 {value} 高于 {limit}",
        ),
        (r"its uncertainty is not known", "不确定度未知"),
        (rf"no good reading for (?P<time>{_NUMBER}) s", "已 {time} s 没有有效读数"),
        (r"(?P<point>.+) was at the end of what its sensor can tell", "{point} 超出传感器量程"),
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

GAPS: Mapping[str, str] = {
    "its sensor failed": "传感器故障",
    "nothing came by radio": "无线中断",
    "its driver or bus failed": "驱动或总线故障",
    "the gateway stood still": "网关停顿",
    "power failed": "断电",
    "it was under maintenance": "维护中",
}
"""What `rules.interlock.votes.GAPS` says of a gap."""
_SILENT = re.compile(
    r"(?:output (?P<output>.+)|(?P<point>.+)): "
    rf"(?:no good reading for (?P<time>{_NUMBER}) s|a good reading is missing)"
    r"(?: \((?P<gap>[^()]+)\))?",
    re.DOTALL,
)
_READ = re.compile(rf"(?P<cause>.+): (?P<value>{_VALUE})", re.DOTALL)


def chinese(words: str, *, event: Callable[[str], str] = str) -> str | None:
    """Return a cause, or why it voted, in Chinese; None: these are no such words. `event` says kinds."""
    if "; " in words:
        parts = [chinese(one, event=event) for one in words.split("; ")]
        return None if None in parts else "；".join(filter(None, parts))
    if found := _SILENT.fullmatch(words):
        about = f"输出 {found['output']}" if found["output"] else found["point"]
        silent = f"已 {found['time']} s 没有有效读数" if found["time"] else "缺少有效读数"
        gap = found["gap"]
        return f"{about}: {silent}" + (f"({GAPS.get(gap, gap)})" if gap else "")
    if found := _READ.fullmatch(words):
        said = _condition(found["cause"], event)
        if said is not None:
            return f"{said}: {found['value']}"
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
            return sentence.format(**found.groupdict(""))
    if found := _STATES.fullmatch(words):
        return f"{found['point']} 不是 {found['states'].replace(' or ', ' 或 ')}"
    found = _LIMIT.fullmatch(words)
    if found is None or not found["sides"].strip():
        return None
    sides = [f"低于 {found['low']}"] if found["low"] else []
    sides += [f"高于 {found['high']}"] if found["high"] else []
    guard = "(计入不确定度)" if found["guarded"] else ""
    return f"{found['point']} {' 或 '.join(sides)}{guard}"
