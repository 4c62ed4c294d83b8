"""The contracts that people build on: committed as generated, and never broken."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from holdfast.cli import contracts
from holdfast.cli.compatibility import breaking_changes
from holdfast.events.base import Event, Stream, encode
from holdfast.events.registry import EVENTS
from holdfast.events.road import ROADS, SERVICES
from support.asyncapi_rules import problems

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / contracts.PROTO_EVENTS / "examples"
GENERATED = contracts.generate()


def examples_of(event: type[Event]) -> list[Path]:
    return sorted((EXAMPLES / event.TYPE).glob("*.json"))


ALL_EXAMPLES = [
    pytest.param(event, path, id=f"{event.TYPE}/{path.stem}")
    for event in EVENTS.values()
    for path in examples_of(event)
]


def schema_of(event: type[Event]) -> Any:
    return msgspec.json.decode(GENERATED[contracts.schema_path(event)])


# ---- what is committed


@pytest.mark.parametrize("path", GENERATED, ids=str)
def test_what_is_committed_is_what_is_generated(path: Path) -> None:
    assert (ROOT / path).exists(), "run 'just contracts'"
    assert (ROOT / path).read_bytes() == GENERATED[path], "run 'just contracts'"


def test_no_schema_is_left_of_an_event_that_is_no_more() -> None:
    there = set((ROOT / contracts.PROTO_EVENTS / "schemas").iterdir())

    assert there == {ROOT / contracts.schema_path(event) for event in EVENTS.values()}


def test_the_table_of_subjects_is_up_to_date() -> None:
    readme = (ROOT / contracts.README).read_text(encoding="utf-8")

    assert contracts.with_table(readme) == readme, "run 'just contracts'"


# ---- golden messages


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_every_field_of_every_event_is_in_an_example(event: type[Event]) -> None:
    shown: set[str] = set()
    for path in examples_of(event):
        shown |= msgspec.json.decode(path.read_bytes()).keys()

    assert set(event.__struct_fields__) <= shown


@pytest.mark.parametrize(("event", "path"), ALL_EXAMPLES)
def test_an_example_decodes_for_ever(event: type[Event], path: Path) -> None:
    decoded = msgspec.json.decode(path.read_bytes(), type=event)

    assert msgspec.json.decode(encode(decoded), type=event) == decoded


@pytest.mark.parametrize(("event", "path"), ALL_EXAMPLES)
def test_an_example_and_what_we_send_fit_the_schema(event: type[Event], path: Path) -> None:
    validator = Draft202012Validator(schema_of(event), format_checker=FormatChecker())
    sent = encode(msgspec.json.decode(path.read_bytes(), type=event))

    validator.validate(msgspec.json.decode(path.read_bytes()))
    validator.validate(msgspec.json.decode(sent))


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_a_schema_is_itself_valid(event: type[Event]) -> None:
    Draft202012Validator.check_schema(schema_of(event))


# ---- the road and AsyncAPI


def test_every_event_has_its_road_and_says_what_it_means() -> None:
    assert list(ROADS) == list(EVENTS.values())
    assert all(event.__doc__ for event in EVENTS.values())


def test_roads_lead_from_services_to_services() -> None:
    for event, road in ROADS.items():
        assert road.said_by, event.TYPE
        assert road.heard_by, event.TYPE
        assert {*road.said_by, *road.heard_by} <= set(SERVICES), event.TYPE


def test_work_is_for_executors_alone() -> None:
    for event, road in ROADS.items():
        is_work = event.STREAM is Stream.WORK
        assert is_work == (event.TYPE != "run.cancel_requested" and road.heard_by == ("executor",))


def test_an_address_with_its_values_is_the_events_subject() -> None:
    for event in EVENTS.values():
        (path, *_) = examples_of(event)
        decoded = msgspec.json.decode(path.read_bytes(), type=event)
        values = {
            name: getattr(decoded, name) for name in ("site", "run_id") if hasattr(decoded, name)
        }

        assert contracts.address_of(event).format(**values) == decoded.subject


def test_the_asyncapi_document_keeps_the_rules() -> None:
    assert problems(contracts.asyncapi()) == []


def test_the_rules_notice_a_broken_document() -> None:
    document = copy.deepcopy(contracts.asyncapi())
    del document["components"]["schemas"]["BackupDue"]
    document["channels"]["prune.requested"]["address"] += ".{site}"
    document["operations"]["scheduler.says.backup.due"]["action"] = "publish"

    assert len(problems(document)) == 3


# ---- how events may grow

Change = Callable[[dict[str, Any]], None]


def _set(*path: str, to: Any) -> Change:
    def change(schema: dict[str, Any]) -> None:
        for part in path[:-1]:
            schema = schema[part]
        schema[path[-1]] = to

    return change


def _drop(*path: str) -> Change:
    def change(schema: dict[str, Any]) -> None:
        for part in path[:-1]:
            schema = schema[part]
        del schema[path[-1]]

    return change


def _edit_list(*path: str, add: Any = None, remove: Any = None) -> Change:
    def change(schema: Any) -> None:
        for part in path:
            schema = schema[part]
        if add is not None:
            schema.append(add)
        if remove is not None:
            schema.remove(remove)

    return change


def _rename(schema: dict[str, Any]) -> None:
    schema["properties"]["run"] = schema["properties"].pop("run_id")


BREAKING = {
    "a field is removed": _drop("properties", "app_name"),
    "a field is renamed": _rename,
    "a field is retyped": _set("properties", "claim", to={"type": "string"}),
    "a format changes": _set("properties", "run_id", "format", to="date-time"),
    "a field becomes nullable": _set(
        "properties", "claim", to={"anyOf": [{"type": "integer"}, {"type": "null"}]}
    ),
    "a field is no longer nullable": _set(
        "properties", "app_id", to={"type": "string", "format": "uuid"}
    ),
    "a field becomes required": _edit_list("required", add="app_name"),
    "a field may be left out": _edit_list("required", remove="claim"),
    "the items of a list are retyped": _set(
        "properties", "destination_ids", "items", to={"type": "integer"}
    ),
    "a value is removed": _edit_list("$defs", "RunStatus", "enum", remove="partial"),
    "an inner field is removed": _drop("$defs", "Failure", "properties", "detail"),
    "an inner field of a union is retyped": _set(
        "$defs", "PruneResult", "properties", "repository_size", to={"type": "string"}
    ),
    "a member of a union is removed": _edit_list(
        "properties", "result", "anyOf", remove={"type": "null"}
    ),
}

HARMLESS = {
    "nothing changes": lambda schema: None,
    "a field with a default is added": _set(
        "properties", "device_name", to={"type": "string", "default": ""}
    ),
    "a value is added": _edit_list("$defs", "Operation", "enum", add="drill"),
    "other words": _set("description", to="The run has ended."),
    "an inner field with a default is added": _set(
        "$defs", "Failure", "properties", "page", to={"type": "string", "default": ""}
    ),
}


@pytest.fixture
def run_completed() -> dict[str, Any]:
    schema: dict[str, Any] = schema_of(EVENTS["run.completed"])
    return schema


@pytest.mark.parametrize("change", BREAKING.values(), ids=BREAKING)
def test_what_breaks_a_reader_is_noticed(change: Change, run_completed: dict[str, Any]) -> None:
    changed = copy.deepcopy(run_completed)
    change(changed)

    assert breaking_changes(run_completed, changed)


def test_a_new_field_without_a_default_is_noticed(run_completed: dict[str, Any]) -> None:
    changed = copy.deepcopy(run_completed)
    changed["properties"]["device_name"] = {"type": "string"}
    changed["required"].append("device_name")

    assert breaking_changes(run_completed, changed) == ("device_name: added without a default",)


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_what_breaks_nobody_may_change(change: Change, run_completed: dict[str, Any]) -> None:
    changed = copy.deepcopy(run_completed)
    change(changed)

    assert breaking_changes(run_completed, changed) == ()


def test_a_break_is_not_written(tmp_path: Path) -> None:
    readme = tmp_path / contracts.README
    readme.parent.mkdir()
    readme.write_text(f"{contracts.TABLE_BEGINS}\n{contracts.TABLE_ENDS}\n")
    contracts.write(tmp_path)
    path = tmp_path / contracts.schema_path(EVENTS["backup.due"])
    before = msgspec.json.decode(path.read_bytes())
    before["properties"]["device_id"] = {"type": "string"}
    path.write_bytes(msgspec.json.encode(before))

    with pytest.raises(contracts.BreakingChangeError) as caught:
        contracts.write(tmp_path)

    assert caught.value.detail == "backup.due: device_id: removed"
    assert "device_id" in path.read_text()
