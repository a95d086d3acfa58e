"""Every operation of the OpenAPI document, asked what its own schema says and does not say.

As an administrator and without a sign-in, the same questions in every run: never an error of the hub, and
every answer is one that the document announces.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LONG = "HENG_API_QUESTIONS" in os.environ
pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-7.2a"), pytest.mark.timeout(0 if LONG else 400)]

ROOT = Path(__file__).parents[2]


def test_no_question_makes_an_error_and_every_answer_is_announced(lab):
    command = [sys.executable, "-m", "tests.security.questions", lab.dsn, lab.hub_dsn]
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=None if LONG else 380, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr[-3000:]
    asked, what, *_ = ended.stdout.split()[-4:]
    assert (int(asked) > 100, what) == (True, "asked,")
