"""What the documents say is there, is there."""

import re
from pathlib import Path

import pytest

from holdfast.settings import Settings

TOP = Path(__file__).parents[2]
DECISIONS = sorted((TOP / "docs" / "decisions").glob("*.md"))
DOCUMENTS = sorted(
    [
        *TOP.glob("*.md"),
        *(TOP / "docs").rglob("*.md"),
        *(TOP / "proto-events").glob("*.md"),
        *(TOP / "changes").glob("*.md"),
    ]
)
PARTS = ["Context", "Decision", "Consequences", "What enforces it"]


class Asked(dict[str, str]):
    """An environment that notes which variables it was asked for, and has none of them."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]  # only texts
        self.names.add(key)
        return default


def read(path: str) -> str:
    return (TOP / path).read_text(encoding="utf-8")


def settings_table() -> dict[str, str]:
    """Variable to default, as docs/reference/settings.md has them; what processes read."""
    processes = read("docs/reference/settings.md").partition("The commands that talk")[0]
    return dict(re.findall(r"^\| `(HOLDFAST_\w+)` \| (.*?) \|", processes, re.MULTILINE))


def asked_for() -> set[str]:
    environ = Asked()
    Settings.from_environment(environ)
    return environ.names


def test_the_page_of_settings_has_every_variable_that_is_read_and_no_other() -> None:
    assert set(settings_table()) == asked_for()


def test_the_page_of_settings_tells_the_defaults() -> None:
    settings = Settings.from_environment({})
    said = {name: text.strip("`") for name, text in settings_table().items()}

    assert said["HOLDFAST_LISTEN"] == settings.listen
    assert said["HOLDFAST_SITE"] == settings.site
    assert said["HOLDFAST_LOG_LEVEL"] == settings.log_level
    assert int(said["HOLDFAST_EXECUTOR_SLOTS"]) == settings.executor_slots
    assert float(said["HOLDFAST_CLAIM_SECONDS"]) == settings.claim_seconds
    assert tuple(map(float, said["HOLDFAST_RETRY_DELAYS"].split(","))) == settings.retry_delays


def test_containers_are_given_settings_that_exist() -> None:
    given = set(re.findall(r"^ +(HOLDFAST_\w+):", read("docker-compose.yml"), re.MULTILINE))

    assert given <= asked_for()


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_parts_in_order(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == PARTS
    assert text.startswith(f"# {int(path.stem[:4])}. ")
    assert f"decisions/{path.name}" in read("docs/index.md")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(TOP)))
def test_a_link_leads_to_a_file(path: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8"))

    lost = [
        link for link in links if "://" not in link and not (path.parent / link).resolve().exists()
    ]

    assert lost == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(TOP)))
def test_a_path_that_is_named_exists(path: Path) -> None:
    named = re.findall(
        r"`((?:services|libs|tests|docs|deploy|proto-events|changes)/[\w./-]+)`",
        path.read_text(encoding="utf-8"),
    )

    assert [each for each in named if not (TOP / each).exists()] == []


def test_the_drawing_names_files_that_exist() -> None:
    names = set(re.findall(r"\w[\w/]*\.py\b", read("docs/architecture.md")))
    there = [
        f"/{path.relative_to(TOP)}"
        for root in ("services", "libs")
        for path in (TOP / root).rglob("*.py")
    ]

    assert [name for name in names if not any(path.endswith(f"/{name}") for path in there)] == []
