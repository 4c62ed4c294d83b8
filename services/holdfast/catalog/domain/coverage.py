"""Is everything protected?  Each volume and directory of each app, and if not, why."""

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from holdfast.catalog.domain.discovered import excludes_of, paths_to_read
from holdfast.events.discovery import FoundData, LeftOut, Unprotected
from holdfast.events.views import (
    AppView,
    ConfigurationView,
    CoverageEntry,
    DeviceView,
    PolicyView,
)

WAITS = "never_backed_up"
LOOSE = "unused_volume"

EXPLANATIONS: dict[str, str] = {
    LeftOut.SWITCHED_OFF: "The label holdfast.enable=false says so.",
    LeftOut.KERNEL: "It belongs to the kernel and holds no files to bring back.",
    LeftOut.SOCKET: "It is a socket.",
    LeftOut.WHOLE_MACHINE: "It is the device's whole file system; name what of it is wanted.",
    LeftOut.ENGINE: "It is the container engine's own directory.",
    LeftOut.HOLDFAST: "It is Holdfast's own, or a repository.",
    LeftOut.NO_FILES: "Its driver keeps it elsewhere, or in memory.",
    LeftOut.NOT_MOUNTED: "It is on a network, and there only while a container uses it.",
    LOOSE: "No container uses it, so it is of no app. Remove it, or declare an app with its path.",
    "no_configuration": "The app has no configuration; tie it to a policy.",
    "disabled": "Its configuration or its policy is switched off.",
    "not_included": "Its configurations back up other paths.",
    "excluded": "Its configuration excludes it.",
    "no_destination": "The policy has no destination.",
    WAITS: "No backup of it has succeeded yet, or none is left.",
}
"""For a person, by reason."""


NO_DATA = frozenset(LeftOut) - {LeftOut.NOT_MOUNTED}
"""Reasons that put nothing at risk."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """All that the answer follows from."""

    devices: Mapping[UUID, DeviceView]
    policies: Mapping[UUID, PolicyView]
    configurations: Sequence[ConfigurationView]
    backups: Mapping[UUID, Mapping[str, datetime]]
    """When a path was last backed up without a flaw, by configuration."""
    loose: Mapping[UUID, Sequence[FoundData]] = {}
    """The volumes that no container of a device uses."""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What one configuration does for a path; without a reason: it protects it."""

    configuration: ConfigurationView | None = None
    policy_name: str = ""
    last_backup_at: datetime | None = None
    proved_at: datetime | None = None
    reason: str = ""


def coverage(apps: Sequence[AppView], known: Known, now: datetime) -> tuple[CoverageEntry, ...]:
    """By device, app and path; what no app has comes first."""
    rows = [
        _entry(app, data, path, known, now)
        for app in apps
        for data, path in (
            [(each, each.path) for each in app.found.data]
            if app.found is not None
            else [(None, path) for path in app.paths]
        )
    ]
    rows += _of_no_app(apps, known)
    return tuple(sorted(rows, key=lambda row: (row.device_name, row.app_name, row.path, row.name)))


def _of_no_app(apps: Sequence[AppView], known: Known) -> list[CoverageEntry]:
    """The volumes that are of no app, neither one that was there nor one of a person's."""
    return [
        CoverageEntry(
            device_id=device_id,
            device_name=known.devices[device_id].name,
            app_id=None,
            app_name="",
            kind=each.kind,
            name=each.name,
            path=each.path,
            protected=False,
            at_risk=each.left_out not in NO_DATA,
            configuration_id=None,
            policy_name="",
            last_backup_at=None,
            age_seconds=None,
            reason=each.left_out or LOOSE,
            explanation=EXPLANATIONS[each.left_out or LOOSE],
            unseen_since=known.devices[device_id].unseen_since,
        )
        for device_id, volumes in known.loose.items()
        for each in volumes
        if not any(_has(app, device_id, each) for app in apps)
    ]


def _has(app: AppView, device_id: UUID, volume: FoundData) -> bool:
    if app.device_id != device_id:
        return False
    if app.found is not None and any(
        each.kind is volume.kind and each.name == volume.name for each in app.found.data
    ):
        return True
    return any(_is_within(volume.path, path) for path in app.paths)


def _entry(
    app: AppView, data: FoundData | None, path: str, known: Known, now: datetime
) -> CoverageEntry:
    judged = _judged(app, data, path, known)
    last = judged.last_backup_at
    return CoverageEntry(
        device_id=app.device_id,
        device_name=known.devices[app.device_id].name,
        app_id=app.id,
        app_name=app.name,
        kind=data.kind if data else None,
        name=data.name if data else "",
        path=path,
        protected=not judged.reason,
        at_risk=bool(judged.reason) and judged.reason not in NO_DATA,
        configuration_id=judged.configuration.id if judged.configuration else None,
        policy_name=judged.policy_name,
        last_backup_at=last,
        last_proved_restorable_at=judged.proved_at,
        age_seconds=None if last is None else max(0.0, (now - last).total_seconds()),
        reason=judged.reason,
        explanation=EXPLANATIONS.get(judged.reason, ""),
        unseen_since=known.devices[app.device_id].unseen_since,
    )


def _judged(app: AppView, data: FoundData | None, path: str, known: Known) -> Judged:
    ties = [each for each in known.configurations if each.app_id == app.id]
    every = [_by(app, tie, path, known) for tie in ties]
    # A configuration may name a path that discovery leaves out: then it counts.
    good = {each.last_backup_at: each for each in every if each.last_backup_at and not each.reason}
    if good:
        return good[max(good)]
    if data is not None and data.left_out is not None:
        return Judged(reason=data.left_out)
    # The one that is nearest to protecting it tells what is missing.
    order = list(EXPLANATIONS)
    nearest = max(every, key=lambda each: order.index(each.reason), default=None)
    return nearest or Judged(reason="no_configuration")


def _by(app: AppView, tie: ConfigurationView, path: str, known: Known) -> Judged:
    policy = known.policies[tie.policy_id]
    times = [at for root, at in known.backups.get(tie.id, {}).items() if _is_within(path, root)]
    judged = Judged(
        configuration=tie,
        policy_name=policy.name,
        last_backup_at=max(times, default=None),
        proved_at=tie.last_proof.at if tie.last_proof else None,
    )
    return msgspec.structs.replace(
        judged, reason=_reason(app, tie, path, known, is_backed_up=bool(times))
    )


def _reason(
    app: AppView, tie: ConfigurationView, path: str, known: Known, *, is_backed_up: bool
) -> str:
    policy = known.policies[tie.policy_id]
    if not tie.enabled or not policy.enabled:
        return "disabled"
    if not any(_is_within(path, root) for root in paths_to_read(app, tie)):
        return "not_included"
    if any(_excludes(pattern, path) for pattern in excludes_of(app, tie)):
        return "excluded"
    if not policy.destinations:
        return "no_destination"
    return "" if is_backed_up else WAITS


def _is_within(path: str, root: str) -> bool:
    return bool(path) and (path == root or path.startswith(root.rstrip("/") + "/"))


def _excludes(pattern: str, path: str) -> bool:
    """Whether restic would leave out all of *path*: the pattern fits it, or what it is in."""
    parts = path.split("/")
    above = ["/".join(parts[:end]) for end in range(2, len(parts) + 1)]
    if pattern.startswith("/"):
        return any(fnmatch.fnmatchcase(each, pattern.rstrip("/")) for each in above)
    return any(fnmatch.fnmatchcase(each.rpartition("/")[2], pattern) for each in above)


def unprotected(entries: Iterable[CoverageEntry]) -> tuple[Unprotected, ...]:
    """What somebody should know of.  What waits for its first backup is none of it."""
    return tuple(
        Unprotected(
            app_name=each.app_name,
            path=each.path,
            name=each.name,
            reason=each.reason,
            explanation=each.explanation,
        )
        for each in entries
        if each.at_risk and each.reason != WAITS
    )
