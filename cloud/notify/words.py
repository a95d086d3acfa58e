"""What messages say, in Chinese and English. Pages have words of their own; these go to people's phones."""

from collections.abc import Mapping

CONDITIONS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "lolo": "very low",
        "lo": "low",
        "hi": "high",
        "hihi": "very high",
        "rate": "changes too fast",
        "comms": "silent",
        "device": "device gives no value",
        "calibration": "calibration overdue",
        "tamper": "tampered with",
        "event": "alarm",
    },
    "zh": {
        "lolo": "过低（下下限）",
        "lo": "偏低（下限）",
        "hi": "偏高（上限）",
        "hihi": "过高（上上限）",
        "rate": "变化过快",
        "comms": "通信中断",
        "device": "设备无有效值",
        "calibration": "校准已过期",
        "tamper": "被拆动",
        "event": "报警",
    },
}
WHATS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "interlock": "interlock tripped",
        "duress": "entry under duress",
        "door-forced": "door forced",
        "door-held": "door held open",
        "lock-down": "lock-down",
        "gas": "gas alarm",
        "fire-release": "fire release",
        "power": "mains lost",
    },
    "zh": {
        "interlock": "联锁跳闸",
        "duress": "胁迫开门",
        "door-forced": "强行开门",
        "door-held": "门长时间未关",
        "lock-down": "封锁",
        "gas": "气体报警",
        "fire-release": "消防释放",
        "power": "市电中断",
    },
}
PRIORITIES: Mapping[str, tuple[str, ...]] = {
    "en": ("urgent", "high", "medium", "low"),
    "zh": ("紧急", "高", "中", "低"),
}
SENTENCES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "alarms": "[Heng] {site}: {count} alarm(s), most urgent: {priority}",
        "flood_began": "[Heng] {site}: ALARM FLOOD, {count} alarms",
        "digest": "[Heng] {site}: alarm flood goes on, {count} alarms since the last message",
        "flood_ended": "[Heng] {site}: the alarm flood is over",
        "counts": "By priority: {counts}",
        "first": "First: {alarm}",
        "since": "since {time}",
        "was": "from {time}, over",
        "value": "value {value}, limit {limit}",
        "again": "call no. {count}",
        "more": "… and {count} more: see the page of alarms",
        "foot": "Heng supervises; it is no certified safety function.",
        "test": "[Heng] Test message of the way “{name}”",
        "test_body": "This is a test. {who} asked for it at {time}. No alarm.",
    },
    "zh": {
        "alarms": "【衡】{site}：{count} 条报警，最高级别：{priority}",
        "flood_began": "【衡】{site}：报警泛滥，共 {count} 条",
        "digest": "【衡】{site}：报警泛滥持续，上次消息后 {count} 条",
        "flood_ended": "【衡】{site}：报警泛滥已结束",
        "counts": "按级别：{counts}",
        "first": "首出：{alarm}",
        "since": "自 {time} 起",
        "was": "始于 {time}，已恢复",
        "value": "值 {value}，限值 {limit}",
        "again": "第 {count} 次通知",
        "more": "……另有 {count} 条，请看报警页面",
        "foot": "“衡”只作监督，不是经认证的安全功能。",
        "test": "【衡】通知方式“{name}”的测试消息",
        "test_body": "这是测试消息，由 {who} 于 {time} 发起，并无报警。",
    },
}
