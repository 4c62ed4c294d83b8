"""Paths, patterns and names from outside."""

import pytest

from holdfast.catalog.domain.paths import absolute_path, data_paths, exclude_patterns
from holdfast.catalog.domain.text import checked_name, checked_text
from holdfast.kernel.errors import InvalidRequestError


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/srv/app", "/srv/app"),
        ("/srv//app/", "/srv/app"),
        ("//srv/./app", "/srv/app"),
        ("/", "/"),
        ("/srv/a b/ü", "/srv/a b/ü"),
        ("/process", "/process"),
    ],
)
def test_a_path_is_absolute_and_spelled_one_way(given: str, kept: str) -> None:
    assert absolute_path(given, "path") == kept


@pytest.mark.parametrize(
    "given",
    ["", "srv", "./srv", "~/srv", "/srv/../etc", "/a\0b", "/proc", "/proc/1", "/sys/", "//dev/sda",
     "/" + "x" * 5000, "/\ud800"],
)  # fmt: skip
def test_a_path_that_cannot_be_meant_is_refused_by_field(given: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"^path"):
        absolute_path(given, "path")


def test_data_paths_are_kept_once_in_the_order_given() -> None:
    assert data_paths(["/srv/b", "/srv/a/", "/srv/b/"], "paths") == ("/srv/b", "/srv/a")


def test_the_root_is_no_data_path() -> None:
    with pytest.raises(InvalidRequestError, match="'/' is everything"):
        data_paths(["/srv", "/"], "paths")


def test_exclude_patterns_are_kept_as_they_are() -> None:
    patterns = exclude_patterns(["*.tmp", "/srv/app/cache", "*.tmp", "!keep.tmp"], "exclude_paths")

    assert patterns == ("*.tmp", "/srv/app/cache", "!keep.tmp")


@pytest.mark.parametrize("pattern", ["", "  ", "a\nb", "a\0b"])
def test_an_exclude_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"^exclude_paths"):
        exclude_patterns(["*.tmp", pattern], "exclude_paths")


def test_a_name_loses_the_blanks_around_it() -> None:
    assert checked_name("  Photos of 2026 📷 ") == "Photos of 2026 📷"


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "a\nb", "a\0b", "\x1b[31mred"])
def test_a_name_that_cannot_be_shown_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"^name"):
        checked_name(name)


def test_text_is_measured_in_bytes() -> None:
    with pytest.raises(InvalidRequestError, match="6 bytes"):
        checked_text("äöü", "description", longest=5)
