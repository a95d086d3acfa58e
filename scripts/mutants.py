"""Which mutants there are of a module: each is one node of its syntax tree changed."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_SUMS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
_UNTOUCHED = ("Meta", "Literal", "field", "requirement")
"""Calls whose numbers say how a document may look, which the codec checks and no rule."""


@dataclass(frozen=True)
class Mutant:
    """One change: where and what."""

    name: str
    """Path, line, place in the walk and the change."""
    module: str
    file: str
    line: int
    what: str
    spot: tuple[int, int] | None
    """Place in the walk, and which of the changes there; None changes nothing."""

    def changed(self, source: str) -> ast.Module:
        """Return the module that comes of it."""
        tree = ast.parse(source, self.file)
        if self.spot is None:
            return tree
        place, number = self.spot
        node = list(ast.walk(tree))[place]
        _, change = list(_changes(node))[number]
        change(node)
        return ast.fix_missing_locations(tree)


def unchanged(mutant: Mutant) -> Mutant:
    """Return the same place without any change, which every test has to pass."""
    return replace(mutant, spot=None)


def of_room(root: Path, room: str) -> list[Mutant]:
    """Return every mutant of `rules/<room>`, file by file."""
    found: list[Mutant] = []
    for path in sorted((root / "rules" / room).glob("*.py")):
        file = path.relative_to(root).as_posix()
        module = file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        found += of_source(path.read_text("utf-8"), file=file, module=module)
    return found


def of_source(source: str, *, file: str, module: str) -> list[Mutant]:
    """Return every mutant of one module."""
    tree = ast.parse(source, file)
    found = []
    left_out = _left_out(tree)
    for place, node in enumerate(ast.walk(tree)):
        if id(node) in left_out:
            continue
        for number, (what, _) in enumerate(_changes(node)):
            line = getattr(node, "lineno", 0)
            name = f"{file}:{line}:{place}.{number} {what}"
            found.append(Mutant(name, module, file, line, what, (place, number)))
    return found


def _left_out(tree: ast.Module) -> set[int]:
    """Return nodes that no rule reads: annotations, bases, bounds of documents, what a type checker needs."""
    found: set[int] = set()
    for node in ast.walk(tree):
        parts: list[ast.AST] = []
        if isinstance(node, ast.AnnAssign):
            parts.append(node.annotation)
        elif isinstance(node, ast.FunctionDef):
            parts += [*node.decorator_list, *filter(None, [node.returns])]
            parts += [
                one.annotation for one in ast.walk(node.args) if isinstance(one, ast.arg) and one.annotation
            ]
        elif isinstance(node, ast.ClassDef):
            parts += [*node.decorator_list, *node.bases, *node.keywords]
        elif isinstance(node, ast.Assert) or _is_untouched(node):
            parts.append(node)
        for part in parts:
            found |= {id(one) for one in ast.walk(part)}
    return found


def _is_untouched(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _UNTOUCHED


Change = Callable[[ast.AST], None]


def _changes(node: ast.AST) -> Iterator[tuple[str, Change]]:
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            for other in _COMPARISONS[type(operator)]:
                yield f"{_said(node)} with {other.__name__}", _compare(place, other)
    elif isinstance(node, ast.BoolOp):
        yield f"{_said(node)} with the other of and, or", _other_bool
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield f"{_said(node)} without not", _without_not
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _SUMS:
        if not _is_text(node):
            yield f"{_said(node)} with {_SUMS[type(node.op)].__name__}", _other_sum
    elif isinstance(node, ast.If | ast.IfExp | ast.While) and not isinstance(
        node.test, ast.Compare | ast.BoolOp
    ):
        yield f"if {_said(node.test)} turned round", _turned
    elif isinstance(node, ast.comprehension) and node.ifs:
        yield f"for {_said(node.target)} without its if", _unfiltered
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield f"{node.value} turned round", _flipped
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield f"{node.value} with one more", _one_more
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _NAMES:
        yield f"{_said(node)} with {_NAMES[node.func.id]}", _other_name
    elif isinstance(node, ast.Continue | ast.Break):
        yield "continue and break exchanged", _exchanged
    elif isinstance(node, ast.FunctionDef | ast.For | ast.If | ast.While | ast.With):
        for place, statement in enumerate(node.body):
            if isinstance(statement, ast.Expr) and isinstance(
                statement.value, ast.Call | ast.YieldFrom | ast.Yield
            ):
                yield f"without {_said(statement)}", _without(place)


def _said(node: ast.AST) -> str:
    return ast.unparse(node)[:100]


def _is_text(node: ast.BinOp | ast.AugAssign) -> bool:
    """Whether types are joined (`A | B`) or texts added, where the change cannot run."""
    sides = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.value,)
    is_class = isinstance(node.op, ast.BitOr) and all(
        isinstance(one, ast.Name | ast.Attribute) and ast.unparse(one).split(".")[-1][0].isupper()
        for one in sides
    )
    return is_class or any(isinstance(one, ast.JoinedStr) for one in sides)


def _compare(place: int, other: type[ast.cmpop]) -> Change:
    def change(node: ast.AST) -> None:
        assert isinstance(node, ast.Compare)
        node.ops[place] = other()

    return change


def _other_bool(node: ast.AST) -> None:
    assert isinstance(node, ast.BoolOp)
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()


def _without_not(node: ast.AST) -> None:
    assert isinstance(node, ast.UnaryOp)
    # Twice not is a bool again, so that nothing but the answer differs.
    node.operand = ast.UnaryOp(ast.Not(), node.operand)


def _other_sum(node: ast.AST) -> None:
    assert isinstance(node, ast.BinOp | ast.AugAssign)
    node.op = _SUMS[type(node.op)]()


def _turned(node: ast.AST) -> None:
    assert isinstance(node, ast.If | ast.IfExp | ast.While)
    node.test = ast.UnaryOp(ast.Not(), node.test)


def _unfiltered(node: ast.AST) -> None:
    assert isinstance(node, ast.comprehension)
    node.ifs = []


def _flipped(node: ast.AST) -> None:
    assert isinstance(node, ast.Constant)
    node.value = not node.value


def _one_more(node: ast.AST) -> None:
    assert isinstance(node, ast.Constant)
    assert isinstance(node.value, int | float)
    node.value += 1


def _other_name(node: ast.AST) -> None:
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    node.func.id = _NAMES[node.func.id]


def _exchanged(node: ast.AST) -> None:
    node.__class__ = ast.Break if isinstance(node, ast.Continue) else ast.Continue


def _without(place: int) -> Change:
    def change(node: ast.AST) -> None:
        assert isinstance(node, ast.FunctionDef | ast.For | ast.If | ast.While | ast.With)
        node.body[place] = ast.Pass()

    return change
