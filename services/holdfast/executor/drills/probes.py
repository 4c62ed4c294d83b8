"""Questions to an app that a drill brought up, asked until they are answered as they must be."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

import msgspec

from holdfast.devices.engine import Reader, Writer
from holdfast.events.drills import DrillProbe, ProbeAnswer, ProbeKind
from holdfast.executor.apps.remaking import api_of
from holdfast.executor.attempt import Attempt
from holdfast.executor.consistency.commands import ended
from holdfast.executor.consistency.engine import Engine
from holdfast.executor.consistency.rules import rule_of
from holdfast.executor.domain import without
from holdfast.executor.drills.isolation import name_of

ANSWER_SECONDS = 15.0
LOOK_SECONDS = 0.5
MOST_ANSWER = 300
"""So much of an answer is kept."""

GOOD = range(200, 400)
NUMBER = re.compile(r"-?\d+")
STATUS = re.compile(rb"HTTP/[0-9.]+ ([0-9]{3})")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asked."""

    drill: UUID
    engine: Engine
    images: Mapping[str, str]
    """Of the app's containers, by name."""


async def answer_of(attempt: Attempt, asked: Asked, probe: DrillProbe) -> ProbeAnswer:
    """The last answer; asked again and again until it is right, or the probe's time is over."""
    began = attempt.deps.monotonic()
    while True:
        ok, answer = await _once(attempt, asked, probe)
        seconds = attempt.deps.monotonic() - began
        if ok or seconds > probe.timeout_seconds:
            return ProbeAnswer(
                probe=told(probe),
                ok=ok,
                answer=without(attempt.all_secrets(), answer)[:MOST_ANSWER],
                seconds=round(seconds, 3),
            )
        await attempt.hold.pause(LOOK_SECONDS)


def told(probe: DrillProbe) -> str:
    """In words."""
    match probe.kind:
        case ProbeKind.HTTP:
            what = f"GET :{probe.port}{probe.path}"
        case ProbeKind.SQL:
            what = f"{probe.query} >= {probe.minimum}"
        case ProbeKind.COMMAND:
            what = probe.command
    return f"{what} of {probe.container}"


async def _once(attempt: Attempt, asked: Asked, probe: DrillProbe) -> tuple[bool, str]:
    if probe.container not in asked.images:
        return False, f"The app has no container {probe.container}."
    name = name_of(asked.drill, probe.container)
    match probe.kind:
        case ProbeKind.HTTP:
            return await _http(attempt, asked, name, probe)
        case ProbeKind.SQL:
            return await _sql(attempt, asked, name, probe)
        case ProbeKind.COMMAND:
            argv = asked.engine.exec(name, ("sh", "-c", probe.command))
            end = await ended(attempt, argv, seconds=float(probe.timeout_seconds))
            return end.ok, end.output or f"It ended with {end.code}."


async def _sql(attempt: Attempt, asked: Asked, name: str, probe: DrillProbe) -> tuple[bool, str]:
    rule = rule_of(asked.images[probe.container])
    if rule is None or not rule.ask:
        return False, "By its image it is no database that understands SQL: use a command."
    argv = asked.engine.exec(name, ("sh", "-c", rule.ask, "ask", probe.query, probe.database))
    end = await ended(attempt, argv, seconds=float(probe.timeout_seconds))
    number = NUMBER.search(end.output)
    return end.ok and number is not None and int(number[0]) >= probe.minimum, end.output


async def _http(attempt: Attempt, asked: Asked, name: str, probe: DrillProbe) -> tuple[bool, str]:
    address = await _address(attempt, asked, name)
    if not address:
        return False, "The container has no address: does it run?"
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            status = await _get(attempt, address, probe)
    except (OSError, TimeoutError) as error:
        return False, f"{address}:{probe.port}: {error or 'no answer'}"
    good = status == probe.status if probe.status else status in GOOD
    return good, f"HTTP {status}" if status else "What answers does not speak HTTP."


async def _get(attempt: Attempt, address: str, probe: DrillProbe) -> int:
    """The status of the answer; 0: it was none.  From where the engine is."""
    reader, writer = await _opened(attempt, address, probe.port)
    try:
        writer.write(
            f"GET {probe.path} HTTP/1.0\r\nHost: {probe.container}\r\n"
            "User-Agent: holdfast-drill\r\nAccept: */*\r\n\r\n".encode()
        )
        head = b""
        while b"\n" not in head and (chunk := await reader.read(4096)):
            head += chunk
        found = STATUS.match(head)
        return int(found[1]) if found else 0
    finally:
        writer.close()


async def _opened(attempt: Attempt, address: str, port: int) -> tuple[Reader, Writer]:
    if attempt.host is None:
        return await asyncio.open_connection(address, port)
    return await attempt.host.open_port(address, port)


async def _address(attempt: Attempt, asked: Asked, name: str) -> str:
    body = await (await api_of(attempt)).get(f"/containers/{quote(name)}/json")
    if body is None:
        return ""
    inspected: Any = msgspec.json.decode(body)
    networks = (inspected.get("NetworkSettings") or {}).get("Networks") or {}
    return str((networks.get(name_of(asked.drill)) or {}).get("IPAddress") or "")
