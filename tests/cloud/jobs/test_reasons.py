"""What the rules refuse of a job is said in the same sentence by page, API and command line."""

from cloud.job_reasons import SENTENCES, sentence
from cloud.web.jobs_words import REFUSALS
from rules.jobs.model import Reason, Refused


def test_every_reason_has_the_sentence_of_the_page() -> None:
    assert {str(reason): words for reason, words in SENTENCES.items()} == {
        str(reason): words for reason, words in REFUSALS.items()
    }
    assert set(SENTENCES) == set(Reason)


def test_sentence_names_what_it_fails_at() -> None:
    assert sentence(Refused(Reason.NO_REASON)) == "Say why"
    assert sentence(Refused(Reason.ZONE_NOT_FIT, ("gas",))) == (
        "The zone is not known to be fit for work (gas)"
    )
