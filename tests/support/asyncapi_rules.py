"""What an AsyncAPI 3.0 document must be, as far as that can be told without its own parser."""

import re
from collections.abc import Iterator
from typing import Any

NAME = re.compile(r"[A-Za-z0-9._-]+")
PARAMETER = re.compile(r"{([^}]*)}")


def problems(document: dict[str, Any]) -> list[str]:
    """What is wrong with *document*, one sentence each."""
    return [*_root(document), *_references(document), *_channels(document), *_operations(document)]


def resolve(document: dict[str, Any], reference: str) -> Any:
    """What a local reference points to; KeyError when to nothing."""
    target: Any = document
    for part in reference.removeprefix("#/").split("/"):
        target = target[part.replace("~1", "/").replace("~0", "~")]
    return target


def _root(document: dict[str, Any]) -> Iterator[str]:
    if document.get("asyncapi") != "3.0.0":
        yield "asyncapi is not 3.0.0"
    allowed = {
        "asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations",
        "components",
    }  # fmt: skip
    yield from (f"{key} is no key of the document" for key in document.keys() - allowed)
    yield from (f"info has no {key}" for key in {"title", "version"} - document["info"].keys())
    for name, server in document["servers"].items():
        missing = {"host", "protocol"} - server.keys()
        yield from (f"server {name} has no {key}" for key in missing)
    for group in ("servers", "channels", "operations"):
        yield from _names(group, document[group])
    for group, members in document["components"].items():
        yield from _names(f"components.{group}", members)


def _names(where: str, members: dict[str, Any]) -> Iterator[str]:
    yield from (f"{where}: {name!r} is no name" for name in members if not NAME.fullmatch(name))


def _references(document: dict[str, Any]) -> Iterator[str]:
    for path, reference in _walk(document, ""):
        try:
            resolve(document, reference)
        except KeyError:
            yield f"{path} refers to {reference}, which is not there"


def _walk(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield path, value["$ref"]
        for key, each in value.items():
            yield from _walk(each, f"{path}/{key}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _walk(each, f"{path}/{number}")


def _channels(document: dict[str, Any]) -> Iterator[str]:
    addresses: dict[str, str] = {}
    for name, channel in document["channels"].items():
        address = channel["address"]
        if address in addresses:
            yield f"channels {name} and {addresses[address]} have the same address"
        addresses[address] = name
        if set(PARAMETER.findall(address)) != set(channel.get("parameters", {})):
            yield f"channel {name}: its parameters are not those of its address"
        for message in channel["messages"].values():
            if not message["$ref"].startswith("#/components/messages/"):
                yield f"channel {name}: a message that is not among the components"


def _operations(document: dict[str, Any]) -> Iterator[str]:
    for name, operation in document["operations"].items():
        if operation["action"] not in ("send", "receive"):
            yield f"operation {name}: {operation['action']!r} is no action"
        channel = operation["channel"]["$ref"]
        if not channel.startswith("#/channels/"):
            yield f"operation {name}: its channel is not among the channels"
        for message in operation["messages"]:
            if not message["$ref"].startswith(f"{channel}/messages/"):
                yield f"operation {name}: a message of another channel"
