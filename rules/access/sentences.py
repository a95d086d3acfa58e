"""What a person at a door, panel or page is told: one plain sentence for each reason, English and Chinese.

`docs/explanation/access.md` shows the same sentences; a test holds the two together.
"""

from collections.abc import Mapping
from types import MappingProxyType

from rules.access.reasons import Reason
from rules.access.work import WorkReason

_R, _W = Reason, WorkReason

SENTENCES: Mapping[Reason, tuple[str, str]] = MappingProxyType(
    {
        _R.RIGHTS_MISSING: (
            "This door has not received any access rights yet.",
            "此门尚未收到任何通行权限。",
        ),
        _R.PORTAL_UNKNOWN: ("The access rights do not know this door.", "通行权限中没有此门。"),
        _R.EXIT: ("The way out is free.", "出口始终放行。"),
        _R.OUT_OF_SERVICE: ("This door is out of service.", "此门已停用。"),
        _R.LOCK_DOWN: ("Entry is locked down.", "已封锁,禁止进入。"),
        _R.INTERLOCK: ("Entry is locked because an interlock has tripped.", "联锁已触发,禁止进入。"),
        _R.TIME_UNKNOWN: ("This door does not know what time it is.", "此门无法确定当前时间。"),
        _R.RIGHTS_OLD: (
            "The access rights here are too old to go by.",
            "此处的通行权限已过期,不能作为依据。",
        ),
        _R.KEY_OTHER: (
            "This reader and the access rights use different keys.",
            "读卡器与通行权限使用的密钥不一致。",
        ),
        _R.FACTOR_NOT_ACCEPTED: (
            "This kind of identification is not accepted here.",
            "此处不接受这种识别方式。",
        ),
        _R.CREDENTIAL_UNKNOWN: ("This credential is not known.", "此凭证未登记。"),
        _R.CREDENTIAL_REVOKED: ("This credential has been revoked.", "此凭证已被撤销。"),
        _R.CREDENTIAL_BLOCKED: ("This credential is blocked.", "此凭证已被停用。"),
        _R.CREDENTIAL_LOST: ("This credential was reported lost.", "此凭证已挂失。"),
        _R.CREDENTIAL_STOLEN: ("This credential was reported stolen.", "此凭证已报失窃。"),
        _R.CREDENTIAL_DAMAGED: ("This credential was reported damaged.", "此凭证已报损坏。"),
        _R.CREDENTIAL_RETURNED: ("This credential was handed back.", "此凭证已交还。"),
        _R.CREDENTIAL_UNASSIGNED: ("This credential belongs to nobody.", "此凭证未分配给任何人。"),
        _R.CREDENTIAL_NOT_YET: ("This credential is not valid yet.", "此凭证尚未生效。"),
        _R.CREDENTIAL_EXPIRED: ("This credential has expired.", "此凭证已过期。"),
        _R.PERSON_REVOKED: ("The access of this person has been revoked.", "此人的通行资格已被撤销。"),
        _R.PERSON_SUSPENDED: ("The access of this person is suspended.", "此人的通行资格已被暂停。"),
        _R.PERSON_LEFT: ("This person has left the organisation.", "此人已离开本单位。"),
        _R.PERSON_NOT_YET: ("The access of this person has not begun yet.", "此人的通行资格尚未开始。"),
        _R.PERSON_EXPIRED: ("The access of this person has ended.", "此人的通行资格已结束。"),
        _R.ATTEMPTS: ("Too many wrong attempts; try again later.", "错误次数过多,请稍后再试。"),
        _R.FACTOR_NOT_SET: (
            "A PIN is asked for here, and this person has none.",
            "此处需要输入密码,而此人尚未设置密码。",
        ),
        _R.FACTOR_WRONG: ("The second proof does not belong to this person.", "第二项验证与此人不符。"),
        _R.FACTOR_TIMEOUT: ("The second proof was not given in time.", "未在规定时间内完成第二项验证。"),
        _R.FACTOR_AWAITED: ("Please give the second proof.", "请进行第二项验证。"),
        _R.DENIED: ("Entry here is expressly denied to this person.", "此人被明确禁止由此进入。"),
        _R.NOT_APPROVED: (
            "The head of the laboratory has not authorised this entry.",
            "实验室负责人未授权此次进入。",
        ),
        _R.OUT_OF_SCHEDULE: ("The right to enter does not hold at this time.", "当前时段无进入权限。"),
        _R.RIGHT_NOT_YET: ("The right to enter does not hold yet.", "进入权限尚未生效。"),
        _R.RIGHT_EXPIRED: ("The right to enter has ended.", "进入权限已到期。"),
        _R.NO_RIGHT: ("There is no right to enter here.", "没有由此进入的权限。"),
        _R.VISIT_WITHOUT_HOST: (
            "The host of this visit is not available any more.",
            "此次来访的接待人已无接待资格。",
        ),
        _R.VISIT_NOT_YET: ("The visit has not begun yet.", "来访时间未到。"),
        _R.VISIT_OVER: ("The visit is over.", "来访时间已结束。"),
        _R.VISIT_ELSEWHERE: ("The visit does not include this place.", "来访范围不包括此处。"),
        _R.NO_VISIT: ("No visit is registered for this person.", "此人没有登记的来访。"),
        _R.AUTHORISATION_NOT_YET: (
            "The authorisation for the work here is not valid yet.",
            "此处工作所需的授权尚未生效。",
        ),
        _R.AUTHORISATION_EXPIRED: (
            "The authorisation for the work here has expired.",
            "此处工作所需的授权已过期。",
        ),
        _R.NOT_AUTHORISED: ("There is no authorisation for the work here.", "没有从事此处工作的授权。"),
        _R.NO_JOB: ("Entry is for a job only, and there is none on.", "仅限作业人员进入,而当前没有作业。"),
        _R.NOT_ON_JOB: ("This person is not on the job here.", "此人不在当前作业的人员名单中。"),
        _R.PASSBACK: ("This person is inside already.", "此人已在区域内。"),
        _R.UNEXPECTED_LOCATION: (
            "This person was not seen to come to where this door leads from.",
            "未记录到此人进入此门所在的区域。",
        ),
        _R.OCCUPANCY: ("There is no room for more people inside.", "区域内人数已满。"),
        _R.SECOND_PERSON_AWAITED: (
            "A second person is needed; please wait for them to show theirs.",
            "须两人同时进入,请等待第二人验证。",
        ),
        _R.SECOND_PERSON_SAME: (
            "The second person must be another one.",
            "第二人不能是同一个人。",
        ),
        _R.ESCORT_AWAITED: ("Please wait for the escort.", "请等待陪同人员。"),
        _R.ESCORT_WRONG: ("Who is here may not escort this visitor.", "在场人员无权陪同此访客。"),
        _R.MANTRAP_OPEN: ("Another door has to be shut first.", "请先关闭另一道门。"),
        _R.MANTRAP_UNKNOWN: (
            "It is not known whether the other door is shut.",
            "无法确认另一道门是否已关闭。",
        ),
        _R.GRANTED: ("Please come in.", "请进。"),
        _R.GRANTED_RESPONDER: (
            "Responder: please come in. Entry is locked to others.",
            "应急人员请进,其他人员禁止进入。",
        ),
    }
)
"""Reason -> English, Chinese."""

WORK_SENTENCES: Mapping[WorkReason, tuple[str, str]] = MappingProxyType(
    {
        _W.RIGHTS_MISSING: ("No access rights have been received yet.", "尚未收到任何通行权限。"),
        _W.EQUIPMENT_UNKNOWN: ("This equipment is not known here.", "此处没有登记该设备。"),
        _W.TIME_UNKNOWN: ("It is not known what time it is.", "无法确定当前时间。"),
        _W.RIGHTS_OLD: ("The access rights are too old to go by.", "通行权限已过期,不能作为依据。"),
        _W.INTERLOCK: ("An interlock has tripped.", "联锁已触发。"),
        _W.NO_JOB: ("No job names this equipment.", "没有使用该设备的作业。"),
        _W.JOB_HELD: ("The job is held.", "作业已暂停。"),
        _W.JOB_NOT_RUNNING: ("The job is not running.", "作业未在进行中。"),
        _W.NOBODY_PRESENT: ("Nobody of the job is present.", "没有作业人员在场。"),
        _W.NOT_AUTHORISED: (
            "Nobody who is present is authorised for this work.",
            "在场人员均无此项工作的授权。",
        ),
        _W.TOO_FEW: (
            "Fewer authorised people are present than the job needs.",
            "在场的获授权人员少于作业要求。",
        ),
        _W.ENABLED: ("The equipment may be used.", "设备可以使用。"),
    }
)
"""The same for equipment."""


def sentence(reason: Reason | WorkReason, language: str) -> str:
    """Return the sentence of a reason; English for every language that is not Chinese."""
    found = SENTENCES[reason] if isinstance(reason, Reason) else WORK_SENTENCES[reason]
    return found[1 if language.startswith("zh") else 0]
