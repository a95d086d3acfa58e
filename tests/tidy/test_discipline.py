"""Habits that the architecture depends on, checked on the syntax tree."""

import ast
import re
from collections.abc import Iterator
from typing import Protocol

BROAD = frozenset({"Exception", "BaseException"})
SUPERVISORS = frozenset({"edge/supervisor.py", "cloud/supervisor.py"})
PRINTERS = frozenset({"cli", "benchmarks"})
STAND_INS = frozenset({"simulators/rpi_gpio/RPi/GPIO.py"})
"""What stands in for a library has a thread where that library has one."""
LAN_CLIENT = "edge/drivers/senml/ways.py"
"""Listens to a broker of the laboratory, which is another one than the hub's."""
SQL = re.compile(
    r"\s*(SELECT\s|INSERT\s+INTO\s|UPDATE\s+\S+\s+SET\s|DELETE\s+FROM\s|COPY\s+\S+\s*(\(|FROM|TO)|TRUNCATE\s|"
    r"(CREATE|ALTER|DROP)\s+(TABLE|INDEX|VIEW|TYPE|FUNCTION|MATERIALIZED)\s|WITH\s+\w+\s+AS\s|(LISTEN|NOTIFY)\s+[a-z_]+\s*$)"
)
SQL_ROOMS = (
    *("cloud/store/", "edge/journal/", "edge/control/"),
    *("cli/embedded/postgres.py", "cli/demo/check.py", "cli/faults/", "benchmarks/"),
)
"""The hub's store, the gateway's own SQLite files, and tools that make or look at tables from outside."""


class Module(Protocol):
    path: str
    text: str
    tree: ast.Module

    @property
    def package(self) -> str: ...


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def _calls(module: Module) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            yield _dotted(node.func), node


def _imports(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def _is_broad(kind: ast.expr | None) -> bool:
    if kind is None:
        return True
    names = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(_dotted(name) in BROAD for name in names)


def _passes_on(handler: ast.ExceptHandler) -> bool:
    """Whether it only tidies up and lets the same exception through."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def _broad_handlers(module: Module) -> Iterator[int]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type) and not _passes_on(node):
            yield node.lineno
    for name, call in _calls(module):
        if name.endswith("suppress") and any(_dotted(kind) in BROAD for kind in call.args):
            yield call.lineno


def test_only_the_supervisors_catch_everything(modules: list[Module]) -> None:
    broad = [f"{m.path}:{line}" for m in modules if m.path not in SUPERVISORS for line in _broad_handlers(m)]
    assert broad == []


def test_nobody_sleeps_in_a_thread_or_starts_one(modules: list[Module]) -> None:
    forbidden = {"time.sleep", "threading.Thread", "sleep", "Thread", "_thread.start_new_thread"}
    found = [
        f"{m.path}:{c.lineno} {name}"
        for m in modules
        if m.path not in STAND_INS
        for name, c in _calls(m)
        if name in forbidden
    ]
    assert found == []


def _task_groups(module: Module) -> set[str]:
    """Last name of everything that this module binds or annotates as a task group."""
    groups: set[str] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.withitem) and node.optional_vars is not None:
            if "TaskGroup" in ast.unparse(node.context_expr):
                groups.add(_dotted(node.optional_vars).rsplit(".", 1)[-1])
        elif isinstance(node, ast.arg) and node.annotation is not None:
            if "TaskGroup" in ast.unparse(node.annotation):
                groups.add(node.arg)
        elif isinstance(node, ast.AnnAssign) and "TaskGroup" in ast.unparse(node.annotation):
            groups.add(_dotted(node.target).rsplit(".", 1)[-1])
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Assign) and (
            _dotted(node.value) in groups or "TaskGroup()" in ast.unparse(node.value)
        ):
            groups |= {_dotted(target).rsplit(".", 1)[-1] for target in node.targets}
    return groups


def test_tasks_live_in_task_groups(modules: list[Module]) -> None:
    loose = [
        f"{m.path}:{call.lineno} {name}"
        for m in modules
        for name, call in _calls(m)
        if name.endswith("ensure_future")
        or (name.endswith("create_task") and name.split(".")[-2:-1] not in [[g] for g in _task_groups(m)])
    ]
    assert loose == []


def test_only_commands_and_benchmarks_print(modules: list[Module]) -> None:
    printed = [
        f"{m.path}:{call.lineno}"
        for m in modules
        if m.package not in PRINTERS
        for name, call in _calls(m)
        if name in {"print", "sys.stdout.write"}
    ]
    assert printed == []


def _strings(module: Module) -> Iterator[ast.Constant]:
    """All string constants but docstrings and other bare expressions."""
    bare = {id(node.value) for node in ast.walk(module.tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare:
            yield node


def test_sql_lives_in_the_store(modules: list[Module]) -> None:
    strays = [
        f"{m.path}:{node.lineno} {str(node.value).strip()[:50]!r}"
        for m in modules
        if not m.path.startswith(SQL_ROOMS)
        for node in _strings(m)
        if SQL.match(str(node.value))
    ]
    assert strays == []


def test_each_end_has_one_importer_of_aiomqtt(modules: list[Module]) -> None:
    importers = sorted(m.path for m in modules if any(n.split(".")[0] == "aiomqtt" for n in _imports(m)))
    assert LAN_CLIENT in importers
    importers.remove(LAN_CLIENT)
    assert all(path.startswith(("edge/uplink", "cloud/mqtt", "cloud/ingest/")) for path in importers)
    assert len({path.split("/")[0] for path in importers}) == len(importers)


def test_paho_serves_load_and_fault_tools_alone(modules: list[Module]) -> None:
    users = {m.package for m in modules if any(n.split(".")[0] == "paho" for n in _imports(m))}
    assert users <= {"benchmarks", "cli", "simulators"}


def test_checks_are_not_silenced_in_run_time_code(modules: list[Module]) -> None:
    silenced = re.compile(r"#\s*(type:\s*ignore|noqa)")
    rooms = {"wire", "rules", "edge", "cloud", "provisioning"}
    found = [
        f"{m.path}:{number}"
        for m in modules
        if m.package in rooms
        for number, line in enumerate(m.text.splitlines(), 1)
        if silenced.search(line) and not (m.path in SUPERVISORS and "noqa: BLE001" in line)
    ]
    assert found == []


def test_log_messages_are_static(modules: list[Module]) -> None:
    levels = {"debug", "info", "warning", "error", "exception", "critical"}
    built = [
        f"{m.path}:{call.lineno}"
        for m in modules
        for name, call in _calls(m)
        if name.rsplit(".", 1)[-1] in levels
        and re.search(r"\blog(ger|ging)?\b|_log", name)
        and call.args
        and not isinstance(call.args[0], ast.Constant)
    ]
    assert built == []
