"""What a newcomer runs: the Makefile, the set-up script and the README."""

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

TARGETS = [
    *("setup", "demo", "test", "lint", "bench", "faults", "alike", "healthy", "mutants", "stale"),
    *("restarts", "questions", "settings", "firmware", "clean"),
]


def test_makefile_has_the_known_targets_and_nothing_else(root: Path) -> None:
    text = (root / "Makefile").read_text("utf-8")
    assert re.findall(r"^([a-z][\w-]*):", text, re.MULTILINE) == TARGETS


def test_ci_runs_what_a_person_runs(root: Path) -> None:
    assert "exec make --no-print-directory test" in (root / ".ci/run").read_text("utf-8")


@pytest.mark.parametrize(
    "name", ["scripts/setup.sh", "scripts/lint.sh", "scripts/compile-requirements.sh", ".ci/run"]
)
def test_shell_scripts_parse_and_can_be_run(name: str, root: Path) -> None:
    assert (root / name).stat().st_mode & 0o111
    subprocess.run(["bash", "-n", root / name], check=True)


def test_readme_is_short_and_starts_with_a_command(root: Path) -> None:
    for name in ("README.md", "README.zh.md"):
        lines = (root / name).read_text("utf-8").splitlines()
        assert len(lines) < 80, name
        assert next(number for number, line in enumerate(lines, 1) if line.startswith("```")) < 25, name


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_readme_links_lead_somewhere(name: str, root: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", (root / name).read_text("utf-8"))
    assert targets
    assert [target for target in targets if "://" not in target and not (root / target).exists()] == []


def _broker_snippet(root: Path) -> str:
    script = (root / "scripts/setup.sh").read_text("utf-8")
    found = re.search(r"<<'SNIPPET'\n(.*?)^SNIPPET$", script, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def _system_broker(folder: Path, snippet: str) -> Iterator[None]:
    """A Mosquitto as the Debian package configures it, with our snippet in its conf.d."""
    (folder / "conf.d").mkdir()
    (folder / "conf.d" / "heng-no-anonymous.conf").write_text(snippet, "utf-8")
    main = folder / "mosquitto.conf"
    main.write_text(
        f"allow_anonymous true\nlog_dest stderr\ninclude_dir {folder}/conf.d\nuser root\n", "utf-8"
    )
    command = ["/usr/sbin/mosquitto", "-c", str(main)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as broker:
        try:
            assert broker.stderr is not None
            assert any(line.rstrip().endswith("running") for line in broker.stderr)
            yield
        finally:
            broker.terminate()
            broker.communicate(timeout=10)


def _connect_anonymously(port: int) -> str:
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    answers: list[str] = []
    client.on_connect = lambda _client, _data, _flags, reason, _properties: answers.append(str(reason))
    client.connect("127.0.0.1", port)
    try:
        while not answers:
            client.loop(0.1)
    finally:
        with suppress(OSError):
            client.disconnect()
    return answers[0]


def test_fresh_system_broker_admits_nobody_anonymous(root: Path, tmp_path: Path) -> None:
    port = _free_port()
    snippet = _broker_snippet(root)
    assert "listener 1883 127.0.0.1\n" in snippet
    with _system_broker(tmp_path, snippet.replace("listener 1883", f"listener {port}")):
        assert _connect_anonymously(port) == "Not authorized"


def test_without_the_snippet_anyone_would_enter(root: Path, tmp_path: Path) -> None:
    """Shows that the test above can fail."""
    port = _free_port()
    with _system_broker(tmp_path, f"listener {port} 127.0.0.1\n"):
        assert _connect_anonymously(port) == "Success"


def test_missing_programs_are_named_where_there_is_no_apt(root: Path, tmp_path: Path) -> None:
    for name in ("bash", "dirname", "python3", "id", "printf", "cat"):
        found = shutil.which(name)
        assert found is not None
        (tmp_path / name).symlink_to(found)
    done = subprocess.run(
        [tmp_path / "bash", root / "scripts/setup.sh"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "nut-client" in done.stderr
    assert "no apt system" in done.stderr
