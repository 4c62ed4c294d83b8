"""The statements: plain .sql files, each statement with a name and a sentence.

::

    -- name: claim_run
    -- Move one queued run to running.  No row means another executor has it.
    update run set ...

``load("runs")["claim_run"]`` is the statement's text.
"""

import re
from functools import cache
from importlib.resources import files
from types import MappingProxyType

_NAME = re.compile(r"^-- name: ([a-z][a-z0-9_]*)[ \t]*$", re.MULTILINE)


def parse(text: str) -> dict[str, str]:
    """Split *text* at its name lines; ValueError when a name comes twice or has no statement."""
    pieces = _NAME.split(text)
    statements: dict[str, str] = {}
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        lines = (line for line in body.splitlines() if not line.lstrip().startswith("--"))
        statement = "\n".join(line for line in lines if line.strip()).rstrip().rstrip(";")
        if not statement or name in statements:
            raise ValueError(f"The statement {name!r} is empty, or its name comes twice.")
        statements[name] = statement
    return statements


@cache
def load(module: str) -> MappingProxyType[str, str]:
    """The statements of ``<module>.sql`` by name."""
    path = files(__name__) / f"{module}.sql"
    return MappingProxyType(parse(path.read_text(encoding="utf-8")))
