"""Whether an event's schema may be replaced by a newer one.

Messages are kept for months and replayed, and services are updated one after the
other: the new reader meets old messages, the old reader new ones.  So an event may gain
fields that have a default, and an enumeration or a union of structs new members, as each
new operation brings one; nothing else may change.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]


def breaking_changes(old: Schema, new: Schema) -> tuple[str, ...]:
    """What in *new* would break a reader or a message of *old*, one sentence each."""
    return tuple(_compare(old, new, old, new, "", frozenset()))


def _compare(
    old: Schema, new: Schema, old_root: Schema, new_root: Schema, path: str, seen: frozenset[str]
) -> Iterator[str]:
    name = old.get("$ref")
    if name is not None and name in seen:
        return  # a struct that holds itself
    seen = seen | {name} if name is not None else seen
    old, new = _resolved(old, old_root), _resolved(new, new_root)
    here = path or "the event"
    if "anyOf" in old or "anyOf" in new:
        yield from _compare_choices(old, new, old_root, new_root, path, seen)
        return
    for key in ("type", "format", "const"):
        if old.get(key) != new.get(key):
            yield f"{here}: {key} was {old.get(key)!r} and is {new.get(key)!r}"
    yield from _compare_values(old, new, here)
    yield from _compare_fields(old, new, old_root, new_root, path, seen)
    if "items" in old and "items" in new:
        yield from _compare(old["items"], new["items"], old_root, new_root, f"{path}[]", seen)


def _compare_fields(
    old: Schema, new: Schema, old_root: Schema, new_root: Schema, path: str, seen: frozenset[str]
) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    required_before, required_after = set(old.get("required", ())), set(new.get("required", ()))
    for field in before:
        where = f"{path}.{field}".lstrip(".")
        if field not in after:
            yield f"{where}: removed"
        else:
            yield from _compare(before[field], after[field], old_root, new_root, where, seen)
    for field in after:
        where = f"{path}.{field}".lstrip(".")
        if field in required_after - required_before:
            new_one = field not in before
            yield f"{where}: {'added without a default' if new_one else 'required from now on'}"
        if field in required_before - required_after:
            yield f"{where}: no longer always sent"


def _compare_values(old: Schema, new: Schema, here: str) -> Iterator[str]:
    """An enum's values: old messages may hold any that there ever was."""
    before, after = old.get("enum"), new.get("enum")
    if before is None and after is None:
        return
    for value in before or ():
        if after is not None and value not in after:
            yield f"{here}: the value {value!r} is gone"
    if before is None or after is None:
        yield f"{here}: a list of values has come or gone"


def _compare_choices(
    old: Schema, new: Schema, old_root: Schema, new_root: Schema, path: str, seen: frozenset[str]
) -> Iterator[str]:
    before = {_choice(each): each for each in old.get("anyOf", (old,))}
    after = {_choice(each): each for each in new.get("anyOf", (new,))}
    for name in sorted(before.keys() - after.keys()):
        yield f"{path}: can no longer be {name}"
    for name in sorted(after.keys() - before.keys()):
        if not name.startswith("#/"):
            yield f"{path}: can be {name} from now on"
    for name in sorted(before.keys() & after.keys()):
        yield from _compare(before[name], after[name], old_root, new_root, path, seen)


def _choice(schema: Schema) -> str:
    return str(schema.get("$ref") or schema.get("type") or sorted(schema))


def _resolved(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        schema = target
    return schema
