"""`heng edge tail` refuses what it cannot do."""

from pathlib import Path
from typing import Any

import pytest

from cli.commands.edge_tail import tail


@pytest.mark.parametrize("count", [0, -1])
def test_count_below_one_is_refused(count: int, tmp_path: Path, capsys: Any) -> None:
    assert tail(tmp_path, match="", as_json=False, count=count) == 2
    assert f"--count {count}: expected at least 1" in capsys.readouterr().err
