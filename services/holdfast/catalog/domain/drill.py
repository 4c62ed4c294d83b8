"""What a person may say about drills, and when one is that nobody said anything about.  Pure."""

import re
from uuid import UUID

from msgspec.structs import replace

from holdfast.catalog.domain.consistency import checked_container
from holdfast.catalog.domain.policy import checked_schedule, checked_timezone
from holdfast.catalog.domain.text import checked_text
from holdfast.events.drills import DrillMode, DrillProbe, DrillSettings, ProbeKind
from holdfast.kernel.errors import InvalidRequestError

MOST_PROBES = 20
LONGEST_SECONDS = 3600
LEAST_BYTES = 1024 * 1024
LAST_PORT = 65535
NO_MATTER = frozenset((0, *range(100, 600)))

FIRST_HOUR, HOURS = 1, 5
"""Between one and six in the morning, when most houses sleep."""


def monthly(configuration_id: UUID) -> str:
    """A time of its own once a month, so that not all apps are restored in the same night."""
    lot = configuration_id.int
    minute, lot = lot % 60, lot // 60
    hour, lot = FIRST_HOUR + lot % HOURS, lot // HOURS
    return f"{minute} {hour} {1 + lot % 28} * *"


def checked_drill(wanted: DrillSettings) -> DrillSettings:
    """*wanted*, if all of it can be done.  InvalidRequestError names the field."""
    if wanted.most_bytes and wanted.most_bytes < LEAST_BYTES:
        raise InvalidRequestError(
            f"drill.most_bytes is {wanted.most_bytes}; it is 0 (all of it) or {LEAST_BYTES} at "
            "least."
        )
    if len(wanted.probes) > MOST_PROBES:
        raise InvalidRequestError(f"drill.probes: {MOST_PROBES} are the most.")
    if wanted.probes and wanted.mode is not DrillMode.BOOT:
        raise InvalidRequestError(
            f"drill.probes: in mode {wanted.mode.value!r} no container runs that could be asked.",
            guidance="Set mode to 'boot', or leave the probes out.",
        )
    path = checked_text(wanted.scratch_path, "drill.scratch_path")
    if path and (not path.startswith("/") or ".." in path.split("/") or not path.strip("/")):
        raise InvalidRequestError(
            f"drill.scratch_path: {path!r} must be an absolute path without '..', and not '/'."
        )
    return replace(
        wanted,
        schedule=wanted.schedule and checked_schedule(wanted.schedule, "drill.schedule"),
        timezone=checked_timezone(wanted.timezone, "", "drill.timezone"),
        probes=tuple(_probe(each, f"drill.probes[{n}]") for n, each in enumerate(wanted.probes)),
    )


def _probe(probe: DrillProbe, field: str) -> DrillProbe:
    checked_container(probe.container, f"{field}.container")
    if not 1 <= probe.timeout_seconds <= LONGEST_SECONDS:
        raise InvalidRequestError(
            f"{field}.timeout_seconds is {probe.timeout_seconds}; from 1 to {LONGEST_SECONDS} "
            "will do."
        )
    match probe.kind:
        case ProbeKind.HTTP:
            _http(probe, field)
        case ProbeKind.SQL:
            _must_say_something(probe.query, f"{field}.query")
            checked_text(probe.database, f"{field}.database")
        case ProbeKind.COMMAND:
            _must_say_something(probe.command, f"{field}.command")
    return probe


def _http(probe: DrillProbe, field: str) -> None:
    if not 1 <= probe.port <= LAST_PORT:
        raise InvalidRequestError(f"{field}.port is {probe.port}; from 1 to {LAST_PORT} will do.")
    if not re.fullmatch(r"/[!-~]*", probe.path):
        raise InvalidRequestError(
            f"{field}.path: {probe.path!r} must begin with '/' and have no blanks; write others "
            "as %20 and the like."
        )
    if probe.status not in NO_MATTER:
        raise InvalidRequestError(
            f"{field}.status is {probe.status}; it is 0 (any that is good) or from 100 to 599."
        )


def _must_say_something(text: str, field: str) -> None:
    if not checked_text(text, field, longest=16_384).strip():
        raise InvalidRequestError(f"{field} is empty.", guidance="Write what is to be asked.")
