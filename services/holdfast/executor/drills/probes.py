"""Questions to containers that a drill brought up."""

import re
from urllib.parse import quote

from holdfast.events.drills import DrillProbe, ProbeAnswer, ProbeKind
from holdfast.executor.attempt import Attempt
from holdfast.executor.consistency.commands import ended
from holdfast.executor.consistency.engine import Engine
from holdfast.executor.consistency.rules import rule_of
from holdfast.executor.domain import without

PAUSE_SECONDS = 0.5
ANSWER_SECONDS = 15.0
KEPT = 300
"""Characters of an answer."""

STATUS = re.compile(r"HTTP/[0-9.]+ ([1-9][0-9]{2})[^\r\n]*")
NUMBER = re.compile(r"-?[0-9]+")
GET = (
    'url="http://127.0.0.1:$1$2"; '
    "if command -v curl >/dev/null; then "
    "curl -sS -o /dev/null -w 'HTTP/1.1 %{http_code}' \"$url\"; "
    'elif command -v wget >/dev/null; then wget -S -O /dev/null "$url"; '
    "elif command -v bash >/dev/null; then bash -c 'exec 3<>/dev/tcp/127.0.0.1/$1 && "
    'printf "GET %s HTTP/1.0\\r\\nHost: 127.0.0.1\\r\\n\\r\\n" "$2" >&3 '
    '&& head -n 1 <&3\' get "$1" "$2"; '
    'else echo "There is no curl, wget or bash in it: ask by SQL or by a command."; fi 2>&1'
)
"""In the container, for the drill's network has no way in, either.  The first status that it
prints counts, so that no redirect is followed."""


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
    path = quote(probe.path if probe.path.startswith("/") else f"/{probe.path}", safe="/?&=%+:,;@")
    argv = engine.exec(name, ("sh", "-c", GET, "get", str(probe.port), path))
    end = await ended(attempt, argv, seconds=ANSWER_SECONDS)
    found = STATUS.search(end.output)
    if found is None:
        return False, end.output or "Nobody answers there."
    return is_right(probe, int(found[1])), found[0]
