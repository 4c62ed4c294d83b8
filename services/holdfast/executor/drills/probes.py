"""Questions to containers that a drill brought up."""

import asyncio
import re
from urllib.parse import quote

from holdfast.devices.base import Program
from holdfast.devices.engine import Connect, connect_here
from holdfast.events.drills import DrillProbe, ProbeAnswer, ProbeKind
from holdfast.executor.attempt import Attempt
from holdfast.executor.consistency.commands import ended, lines_of, runner_of
from holdfast.executor.consistency.engine import Engine
from holdfast.executor.consistency.rules import rule_of
from holdfast.executor.domain import without

PAUSE_SECONDS = 0.5
ANSWER_SECONDS = 15.0
KEPT = 300
"""Characters of an answer."""
HEAD_BYTES = 4096

ADDRESS = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
STATUS = re.compile(r"HTTP/[0-9.]+ ([0-9]{3})[^\r\n]*")
NUMBER = re.compile(r"-?[0-9]+")
GET_INSIDE = (
    'wget -S -O /dev/null "$1" 2>&1 || '
    "curl -sS -o /dev/null -w 'HTTP/1.1 %{http_code}\\n' \"$1\" 2>&1"
)
"""Where Holdfast itself cannot reach the network."""


async def ask(
    attempt: Attempt, engine: Engine, probe: DrillProbe, name: str, image: str
) -> ProbeAnswer:
    """Again and again until it answers as it must, or its time is over.

    *name*: of the drill's container; *image*: of the app's.
    """
    began = attempt.deps.monotonic()
    deadline = began + probe.timeout_seconds
    while True:
        ok, answer = await _once(attempt, engine, probe, name, image)
        now = attempt.deps.monotonic()
        if ok or now >= deadline:
            break
        await attempt.hold.pause(PAUSE_SECONDS)
    return ProbeAnswer(
        probe=words_of(probe),
        ok=ok,
        answer=without(attempt.all_secrets(), answer).strip()[:KEPT],
        seconds=now - began,
    )


def words_of(probe: DrillProbe) -> str:
    """The question for a person."""
    match probe.kind:
        case ProbeKind.HTTP:
            return f"GET :{probe.port}{probe.path} of {probe.container}"
        case ProbeKind.SQL:
            return f"{probe.query[:KEPT]} in {probe.container}: {probe.minimum} at least"
        case ProbeKind.COMMAND:
            return f"{probe.command[:KEPT]} in {probe.container}"


def is_right(probe: DrillProbe, status: int) -> bool:
    """Whether HTTP may answer so."""
    return status == probe.status if probe.status else 200 <= status < 400


async def _once(
    attempt: Attempt, engine: Engine, probe: DrillProbe, name: str, image: str
) -> tuple[bool, str]:
    match probe.kind:
        case ProbeKind.HTTP:
            return await _http(attempt, engine, probe, name)
        case ProbeKind.SQL:
            return await _sql(attempt, engine, probe, name, image)
        case ProbeKind.COMMAND:
            argv = engine.exec(name, ("sh", "-c", probe.command))
            end = await ended(attempt, argv, seconds=ANSWER_SECONDS)
            return end.ok, end.output or f"It ended with {end.code}."


async def _sql(
    attempt: Attempt, engine: Engine, probe: DrillProbe, name: str, image: str
) -> tuple[bool, str]:
    rule = rule_of(image)
    if rule is None or not rule.ask:
        return False, f"{probe.container} is no database that Holdfast can ask in SQL."
    words = ("sh", "-c", rule.ask, "ask", probe.query, probe.database)
    end = await ended(attempt, engine.exec(name, words), seconds=ANSWER_SECONDS)
    number = NUMBER.search(end.output)
    return end.ok and number is not None and int(number[0]) >= probe.minimum, end.output


async def _http(attempt: Attempt, engine: Engine, probe: DrillProbe, name: str) -> tuple[bool, str]:
    argv = (engine.command, "inspect", "--type", "container", "--format", ADDRESS, name)
    async with runner_of(attempt).start(Program(argv=argv)) as process:
        addresses = " ".join(await lines_of(process.lines())).split()
        await process.wait()
    connect = connect_here if attempt.host is None else attempt.host.connect
    answer = ""
    path = quote(probe.path if probe.path.startswith("/") else f"/{probe.path}", safe="/?&=%+:,;@")
    if addresses:
        answer = await get(connect, addresses[0], probe.port, path)
    found = STATUS.search(answer)
    if found is None:
        url = f"http://127.0.0.1:{probe.port}{path}"
        inside = engine.exec(name, ("sh", "-c", GET_INSIDE, "get", url))
        end = await ended(attempt, inside, seconds=ANSWER_SECONDS)
        found = STATUS.search(end.output)
        answer = end.output
    if found is None:
        return False, answer or "Nobody answers there."
    return is_right(probe, int(found[1])), found[0]


async def get(connect: Connect, address: str, port: int, path: str) -> str:
    """The beginning of the answer; nothing where nobody answers.  No redirect is followed."""
    request = f"GET {path} HTTP/1.0\r\nHost: {address}:{port}\r\nConnection: close\r\n\r\n"
    answer = b""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await connect(address, port)
            try:
                writer.write(request.encode())
                while len(answer) < HEAD_BYTES and b"\n" not in answer:
                    chunk = await reader.read(HEAD_BYTES)
                    if not chunk:
                        break
                    answer += chunk
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return ""
    return answer.decode(errors="replace")
