"""What the panel says, in Chinese and English; a test holds every word of the rules to it."""

from collections.abc import Mapping
from typing import Literal

from rules.access.reasons import Reason as AccessReason
from rules.access.sentences import sentence
from rules.interlock.reasons import Reason
from rules.interlock.state import CauseState, Phase, Why

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")
Pair = tuple[str, str]
"""English, Chinese."""

PHASES: Mapping[str, Pair] = {
    Phase.HEALTHY: ("Released", "正常放行"),
    Phase.TRIPPED: ("Tripped", "已触发"),
    Phase.READY_TO_RESET: ("Ready to reset", "可以复位"),
    Phase.RESET: ("Reset, not enabled", "已复位,待启用"),
    Phase.STARTING: ("Starting", "启动中"),
}
WHY: Mapping[str, Pair] = {
    Why.ASKED: ("somebody tripped it", "有人手动触发"),
    Why.NEW: ("it is new here and was never enabled", "新建联锁,尚未启用"),
    Why.RESTART: ("the gateway was started again", "网关已重新启动"),
    Why.STATE_LOST: (
        "it started without a record of how it stood before",
        "启动时没有找到此前状态的记录",
    ),
    Why.RULE_CHANGED: ("its rule was changed", "规则已更改"),
}
CAUSES: Mapping[str, Pair] = {
    CauseState.UNKNOWN: ("not heard yet", "尚无读数"),
    CauseState.NORMAL: ("normal", "正常"),
    CauseState.PENDING: ("out, delay runs", "超限,延时中"),
    CauseState.VOTING: ("votes to trip", "要求触发"),
    CauseState.CLEARING: ("back, delay runs", "已恢复,延时中"),
}
REASONS: Mapping[str, Pair] = {
    Reason.NO_RIGHT: ("you may not do that here", "您没有此项授权"),
    Reason.NOT_TRIPPED: ("the interlock is not tripped", "联锁未触发"),
    Reason.OTHER_BREACH: ("another breach came in between: look again", "其间又发生新的触发,请重新查看"),
    Reason.ALREADY_ACKNOWLEDGED: ("it was acknowledged before", "已有人确认"),
    Reason.NOT_RESET: ("it has to be reset first", "须先复位"),
    Reason.UNKNOWN_CAUSE: ("there is no such cause", "没有此原因"),
    Reason.NOT_BYPASSABLE: ("this cause may not be bypassed", "此原因不得旁路"),
    Reason.NO_REASON: ("a bypass needs a reason", "旁路须说明理由"),
    Reason.NO_SECOND_PERSON: ("a second person is needed", "需要第二人"),
    Reason.SAME_PERSON: ("the second person must be another one", "第二人不能是同一个人"),
    Reason.BAD_DURATION: ("at most 8 h", "最长 8 小时"),
    Reason.GROUP_BYPASSED: ("one cause of the group is bypassed already", "该组已有原因被旁路"),
    Reason.NOT_BYPASSED: ("it is not bypassed", "未被旁路"),
    Reason.NO_CHECK_DUE: ("no check is due", "无须核查"),
    Reason.NOT_HEARD: ("not heard since the start", "启动后尚无读数"),
    Reason.WINDOW: ("rate of change not known yet", "变化率尚不可知"),
    Reason.STALE: ("no good reading comes", "没有有效读数"),
    Reason.OUT: ("out of bounds", "超出范围"),
    Reason.OFF_DELAY: ("back, but not for long enough", "已恢复,时间未满"),
    Reason.NOT_STEADY: ("not steady", "尚未稳定"),
    Reason.STEADYING: ("steady, but not for long enough", "趋于稳定,时间未满"),
    Reason.NOT_ACKNOWLEDGED: ("nobody has acknowledged it", "尚未确认"),
    Reason.EXPIRED: ("its time is over", "时间已到"),
    Reason.ENDED_BY_PERSON: ("a person ended it", "已由人员结束"),
    Reason.TIME_UNKNOWN: ("the time is not known", "时间未知"),
    Reason.RULE_CHANGED: ("the rule was changed", "规则已更改"),
    Reason.TRIPPED: ("the interlock holds this device", "联锁锁定此设备"),
    Reason.CHECK_FIRST: ("the device has to be checked first", "须先核查设备"),
}
EFFECTS: Mapping[str, Pair] = {
    "hold_work": ("work held", "暂停作业"),
    "lock_entry": ("entry locked", "禁止进入"),
    "inhibit_output": ("output blocked", "闭锁输出"),
    "isolate_power": ("power cut", "切断电源"),
}
DOORS: Mapping[str, Pair] = {
    "open": ("open", "开"),
    "closed": ("shut", "关"),
    "locked": ("locked", "已锁"),
    "unlocked": ("unlocked", "未锁"),
    "unknown": ("not known", "未知"),
}
ACTS: Mapping[str, Pair] = {
    "acknowledge": ("Acknowledge", "确认"),
    "reset": ("Reset", "复位"),
    "enable": ("Enable", "启用"),
}
OWN: Mapping[str, Pair] = {
    "done": ("Done.", "已完成。"),
    "card_awaited": ("No card was shown, or too long ago. Please show it.", "尚未刷卡或已超时,请刷卡。"),
    "pin_shape": ("A PIN has 3 to 16 digits.", "密码为 3 至 16 位数字。"),
    "too_often": ("Too many tries here; please wait a minute.", "尝试过于频繁,请等待一分钟。"),
    "no_interlock": ("There is no such interlock on this panel.", "此面板没有该联锁。"),
    "failed": ("It could not be done", "未能完成"),
    "refused": ("Refused", "拒绝"),
    "why": ("Reason", "原因"),
    "missing": ("Missing before a reset", "复位前尚缺"),
    "ready": ("Everything is normal.", "所有条件正常。"),
    "then": ("then", "之后须连续"),
    "unbroken": ("inside without a break", "不超限"),
    "anew": ("begun anew after:", "重新计时,原因:"),
    "votes": ("Votes", "表决"),
    "of": ("of", "/"),
    "needed": ("needed", "触发需"),
    "bypassed": ("bypassed", "已旁路"),
    "effects": ("Effects", "动作"),
    "confirmed": ("confirmed", "已确认到位"),
    "unconfirmed": ("not confirmed", "未确认到位"),
    "unread": ("cannot be read back", "无法回读"),
    "released": ("released", "放行"),
    "doors": ("Doors", "门"),
    "inside": ("Inside", "室内人员"),
    "nobody": ("Nobody was seen to come in.", "没有进入记录。"),
    "doubtful": ("doubtful", "存疑"),
    "safe": ("safe", "在集合点"),
    "visitor": ("visitor", "访客"),
    "lock_down": ("Lock-down", "封锁"),
    "everywhere": ("everywhere", "全部区域"),
    "forced": ("forced", "强行打开"),
    "held": ("held open", "未关闭"),
    "acknowledged": ("Acknowledged by", "确认人"),
    "breach": ("breach", "第几次触发"),
    "since": ("for", "已"),
    "outputs": ("Outputs", "输出回读"),
    "not_obeyed": ("is not what it was told to be", "与指令不符"),
    "no_interlocks": ("No interlocks here.", "此处没有联锁。"),
    "show_card": ("1. Show your card at the reader.", "1. 请在读卡器刷卡。"),
    "card_there": ("Card read", "已读卡"),
    "card_none": ("No card yet", "尚未刷卡"),
    "enter_pin": ("2. Enter your PIN.", "2. 请输入密码。"),
    "pin": ("PIN", "密码"),
    "clear": ("Clear", "清除"),
    "cancel": ("Cancel", "取消"),
    "back": ("Back", "返回"),
    "no_reader": ("This panel shows only: no reader belongs to it.", "此面板仅供显示:未配置读卡器。"),
    "stale": ("Not connected: what is shown is old.", "连接中断:显示内容已过时。"),
    "limits": (
        "Heng supervises and locks out; it is no certified safety function. In danger: emergency stop.",
        "衡系统只做监视与闭锁,不是经认证的安全功能。遇险请按急停。",
    ),
    "language": ("中文", "English"),
}


def say(pair: Pair, language: Language) -> str:
    """Return the words of a language."""
    return pair[0] if language == "en" else pair[1]


def word(table: Mapping[str, Pair], key: str, language: Language) -> str:
    """Return what a word of the rules is called; one that nobody knows stays as it is."""
    pair = table.get(key)
    return key if pair is None else say(pair, language)


def own(key: str, language: Language) -> str:
    """Return words of the panel itself."""
    return say(OWN[key], language)


def reason(key: str, language: Language) -> str:
    """Return the sentence of any reason: of the panel, of an interlock, of access."""
    if key in OWN:
        return own(key, language)
    if key in REASONS:
        return word(REASONS, key, language)
    try:
        return sentence(AccessReason(key), language)
    except ValueError:
        return key


def left_words(seconds: float, language: Language) -> str:
    """Return how long something takes yet, to the next full second."""
    left = duration(seconds + 0.999, language)
    return f"剩余 {left}" if language == "zh" else f"{left} left"


def duration(seconds: float, language: Language) -> str:
    """Return a stretch of time in two units at most."""
    whole = max(0, int(seconds))
    for size, unit in ((86_400, ("d", "天")), (3600, ("h", "小时")), (60, ("min", "分"))):
        if whole >= size:
            smaller = {86_400: (3600, ("h", "小时")), 3600: (60, ("min", "分")), 60: (1, ("s", "秒"))}[size]
            first, rest = divmod(whole, size)
            second = rest // smaller[0]
            parts = [(first, unit), *([(second, smaller[1])] if second else [])]
            return " ".join(f"{number} {say(name, language)}" for number, name in parts)
    return f"{whole} {say(('s', '秒'), language)}"
