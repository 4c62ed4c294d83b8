"""Rules about the tree that no other check looks at."""

import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
ROOTS = (TOP / "services" / "holdfast", TOP / "libs" / "holdfast")
MOST_LINES = 400

EXCEPTION = re.compile(r"#\s*(?:noqa|type:\s*ignore|pragma)\b[^#]*")
REASONED = re.compile(
    r"#\s*(?:noqa:\s*[A-Z0-9, ]+|type:\s*ignore\[[\w, -]+\]|pragma:[\w ]+)\s*[-—#]\s*\S"
)


def python_files() -> list[Path]:
    return [
        path for folder in ("services", "libs", "tests") for path in (TOP / folder).rglob("*.py")
    ]


def comments(path: Path) -> Iterator[tuple[int, str]]:
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


def test_imports_go_one_way_and_every_outside_package_has_one_home() -> None:
    lint = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run([lint], cwd=TOP, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("root", ROOTS, ids=["services", "libs"])
def test_the_two_roots_share_one_namespace(root: Path) -> None:
    assert not (root / "__init__.py").exists()


def test_every_child_of_the_roots_is_a_package() -> None:
    strays = [
        str(child.relative_to(TOP))
        for root in ROOTS
        for child in root.iterdir()
        if child.name not in {"__main__.py", "__pycache__"} and not (child / "__init__.py").exists()
    ]

    assert strays == []


def test_no_two_parts_have_the_same_name() -> None:
    services, libs = ({child.name for child in root.iterdir()} for root in ROOTS)

    assert services & libs <= {"__pycache__"}


def test_every_exception_to_a_rule_says_why() -> None:
    bare = [
        f"{path.relative_to(TOP)}:{line}: {comment}"
        for path in python_files()
        for line, comment in comments(path)
        if EXCEPTION.match(comment) and not REASONED.match(comment)
    ]

    assert bare == []


def test_no_file_of_the_product_is_too_long_to_read() -> None:
    long = {
        str(path.relative_to(TOP)): count
        for root in ROOTS
        for path in root.rglob("*.py")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }

    assert long == {}
