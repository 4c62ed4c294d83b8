"""The loader of named statements."""

import pytest

from holdfast.catalog.store.sql import load, parse


def test_a_statement_is_what_follows_its_name_without_comments() -> None:
    text = "-- header\n\n-- name: a\n-- Says why.\nselect 1\n  from x;\n\n-- name: b\nselect 2;\n"

    assert parse(text) == {"a": "select 1\n  from x", "b": "select 2"}


@pytest.mark.parametrize("text", ["-- name: a\n-- nothing", "-- name: a\nselect 1;\n" * 2])
def test_an_empty_statement_or_a_name_that_comes_twice_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="'a'"):
        parse(text)


def test_the_bundled_files_are_readable() -> None:
    assert "add_policy" in load("policies")
