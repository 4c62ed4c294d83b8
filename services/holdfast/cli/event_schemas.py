"""JSON Schemas of the events: msgspec's, with the structs' own words as descriptions."""

import ast
import inspect
import textwrap
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from holdfast.events import base, changes, due, retention, run, snapshot, work
from holdfast.events.base import Event

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MODULES = (base, changes, due, retention, run, snapshot, work)


def schema_of(event: type[Event]) -> dict[str, Any]:
    """One event as a JSON Schema 2020-12 document that stands for itself."""
    (_,), parts = msgspec.json.schema_components([event], ref_template="#/$defs/{name}")
    described = {name: _described(name, part) for name, part in parts.items()}
    root = described.pop(event.__name__)
    schema = {"$schema": DIALECT, "$id": f"urn:holdfast:event:{event.TYPE}:v1", **root}
    if described:
        schema["$defs"] = dict(sorted(described.items()))
    return schema


def components(events: Sequence[type[Event]]) -> dict[str, Any]:
    """All structs that the events are made of, by name, as AsyncAPI wants them."""
    _, parts = msgspec.json.schema_components(events, ref_template="#/components/schemas/{name}")
    return {name: _described(name, parts[name]) for name in sorted(parts)}


def summary_of(event: type[Event]) -> str:
    """The first line of an event's docstring."""
    return inspect.getdoc(event).splitlines()[0]  # type: ignore[union-attr]  # a test demands one


def _described(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The same schema with a description for each field that has a docstring."""
    described: dict[str, Any] = _without_discriminator(schema)
    for field, words in _words().get(name, {}).items():
        if field in described.get("properties", {}):
            described["properties"][field] = {
                **described["properties"][field],
                "description": words,
            }
    return described


def _without_discriminator(value: Any) -> Any:
    """OpenAPI's keyword, which msgspec writes, means something else to AsyncAPI.  Nothing
    is lost: each variant names its own tag."""
    if isinstance(value, Mapping):
        return {
            key: _without_discriminator(each)
            for key, each in value.items()
            if key != "discriminator"
        }
    if isinstance(value, list | tuple):
        return [_without_discriminator(each) for each in value]
    return value


@cache
def _words() -> dict[str, dict[str, str]]:
    """The docstrings under the fields of every struct, those it inherits included."""
    own: dict[str, dict[str, str]] = {}
    for module in MODULES:
        for node in ast.parse(inspect.getsource(module)).body:
            if isinstance(node, ast.ClassDef):
                own[node.name] = _field_words(node)
    classes = {
        each.__name__: each
        for module in MODULES
        for each in vars(module).values()
        if inspect.isclass(each)
    }
    return {
        name: {
            field: words
            for parent in reversed(inspect.getmro(classes[name]))
            for field, words in own.get(parent.__name__, {}).items()
        }
        for name in own
    }


def _field_words(node: ast.ClassDef) -> dict[str, str]:
    found = {}
    for field, after in zip(node.body, node.body[1:], strict=False):
        is_field = isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        is_words = (
            isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        )
        if is_field and is_words:
            words = textwrap.dedent(after.value.value).split()  # type: ignore[attr-defined]  # see is_words
            found[field.target.id] = " ".join(words)  # type: ignore[attr-defined]  # see is_field
    return found
