import argparse
import json
from typing import Protocol

import pytest

from benchmarks import storage


class Databases(Protocol):
    @property
    def admin_dsn(self) -> str: ...


@pytest.mark.slow
def test_json_has_the_promised_keys_and_sane_figures(
    databases: Databases, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    storage.configure(parser)
    words = ["--database-url", databases.admin_dsn, "--days", "2", "--asks", "2", "--json"]
    assert storage.run(parser.parse_args(words)) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"bytes_per_reading", "year_chart_ms", "hour_raw_ms"}
    assert 0.5 < found["bytes_per_reading"] < 120
    assert found["year_chart_ms"]["p95"] > 0
    assert found["hour_raw_ms"]["p95"] > 0
