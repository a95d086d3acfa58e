"""Takes an SQL file apart into statements, for files that cannot run in one transaction.

It knows comments, quoted strings and dollar quotes; it does not know nested comments.
"""

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
      --[^\n]*                              # comment to the end of the line
    | /\*.*?\*/                             # comment
    | '(?:[^']|'')*'                        # string
    | "(?:[^"]|"")*"                        # name
    | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$       # dollar-quoted string
    | ;
    """,
    re.VERBOSE | re.DOTALL,
)


def split_statements(text: str) -> Iterator[str]:
    """Yield the statements of a file, without their semicolons and without empty ones."""
    start = 0
    for token in _TOKEN.finditer(text):
        if token[0] == ";":
            yield from _kept(text[start : token.start()])
            start = token.end()
    yield from _kept(text[start:])


def _kept(statement: str) -> Iterator[str]:
    bare = _TOKEN.sub(lambda token: "" if token[0].startswith(("--", "/*")) else token[0], statement)
    if bare.strip():
        yield statement.strip()
