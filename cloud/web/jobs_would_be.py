"""What the page of a job says before anybody asks: why work could not begin or go on now. Pure; no markup."""

from dataclasses import dataclass, field

from cloud.job_facts import Known
from cloud.store.jobs import KeptJob, KeptLimits
from cloud.web.jobs_words import ABSENT_NOW, NO_READING, TOO_OLD, say_refused
from cloud.web.language import Language
from cloud.web.words import duration
from rules.access.words import JobState
from rules.jobs import acts
from rules.jobs.model import Refused

_ANYBODY = "anybody"
"""Whoever it is: it is asked what else there is to refuse."""


@dataclass(frozen=True, slots=True)
class WouldBe:
    """What would be refused."""

    refused: str = ""
    """Empty: nothing would be, as far as the hub knows."""
    newest: dict[str, str] = field(default_factory=dict)
    """Limit that is not known to be kept -> what reading there is of it, and what would do."""


def would_be(
    kept: KeptJob, limits: KeptLimits, known: Known | None, *, permitted: bool, language: Language
) -> WouldBe:
    """Return why work could not begin or go on now, by the rules that judge when it is asked for."""
    if known is None:
        return WouldBe()
    given = kept.job, limits.limits, known.facts
    outcome = (
        acts.start(*given, by=_ANYBODY, now=0)
        if kept.job.state is JobState.PLANNED
        else acts.release(*given, by=_ANYBODY, reason=_ANYBODY, permitted=permitted, now=0)
    )
    refused = say_refused(outcome, language) if isinstance(outcome, Refused) else ""
    return WouldBe(refused, _newest(known, language))


def _newest(known: Known, language: Language) -> dict[str, str]:
    """Return of each limit that is not known what reading there is, and what would do."""
    said = {}
    for name, one in known.newest.items():
        given = {"most": duration(language, round(one.most_s * 1000))}
        if one.age_s is None:
            said[name] = language.say(NO_READING) % given
            continue
        given["age"] = duration(language, round(one.age_s * 1000))
        said[name] = language.say(ABSENT_NOW if one.absent else TOO_OLD) % given
    return said
