"""What the importers have in common: gathering an export, and saying what has no place in it."""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import UUID

import msgspec

from holdfast.cli.repositories import UnsupportedRepositoryError, destination_of, secrets_of
from holdfast.events.portable import (
    Export,
    PortableApp,
    PortableConfiguration,
    PortableDestination,
    PortableDevice,
    PortablePolicy,
    Secrets,
)
from holdfast.events.views import KeepRules
from holdfast.kernel.ids import derived_id

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
"""Other tools do not say since when they have what they have; equal each time it is read."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a file came to."""

    export: Export
    secrets: Secrets
    notes: tuple[str, ...] = ()
    """What of it has no place here, for a person."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is backed up, when, where to and for how long."""

    name: str
    paths: tuple[str, ...]
    destination_ids: tuple[UUID, ...]
    schedule: str | None
    """Cron; None: by hand only."""
    keep: KeepRules = KeepRules()
    excludes: tuple[str, ...] = ()
    enabled: bool = True


class Gatherer:
    """Collects repositories and plans; ids are made of names, so that a second reading agrees."""

    def __init__(
        self,
        tool: str,
        device: PortableDevice,
        folder: Path,
        environment: Mapping[str, str],
        timezone: str = "",
    ) -> None:
        self._tool = tool
        self._device = device
        self._folder = folder
        self._environment = environment
        self._timezone = timezone
        self._destinations: list[PortableDestination] = []
        self._policies: dict[object, PortablePolicy] = {}
        self._apps: list[PortableApp] = []
        self._configurations: list[PortableConfiguration] = []
        self._secrets: Secrets = {}
        self._notes: list[str] = []

    def note(self, what: str) -> None:
        """Say that *what* was not mapped."""
        self._notes.append(what)

    def unmapped(self, where: str, settings: Mapping[str, Any], known: Iterable[str]) -> None:
        """Say it of every setting that is not *known*, without its value: that may be secret."""
        for name in sorted(set(settings) - set(known)):
            if settings[name] not in (None, False, "", [], {}):
                self.note(f"{where}: {name}")

    def repository(
        self,
        name: str,
        url: str,
        password: str,
        environment: Mapping[str, str],
        prune_schedule: str | None = None,
    ) -> UUID | None:
        """The destination's id; None, with a note, when it cannot be taken over."""
        destination_id = self._id("repository", name)
        merged = {**self._environment, **environment}
        try:
            destination = destination_of(
                url, destination_id, name, self._device, LONG_AGO,
                region=merged.get("AWS_DEFAULT_REGION", ""), base=PurePosixPath(self._folder),
            )  # fmt: skip
            self._secrets[destination_id] = secrets_of(destination, password, merged)
        except UnsupportedRepositoryError as error:
            self.note(f"repository {name!r}: {error}")
            return None
        if prune_schedule:
            destination = msgspec.structs.replace(destination, prune_schedule=prune_schedule)
        self._destinations.append(destination)
        return destination_id

    def plan(self, plan: Plan) -> None:
        """An app, its configuration, and a policy, which plans that agree share."""
        if not plan.paths:
            self.note(f"{plan.name!r}: it has no paths")
            return
        if not plan.destination_ids:
            self.note(f"{plan.name!r}: none of its repositories is taken over")
        schedule = plan.schedule or "0 2 * * *"
        if plan.schedule is None:
            self.note(f"{plan.name!r}: it has no schedule, so it is switched off")
        app_id = self._id("app", plan.name)
        self._apps.append(
            PortableApp(
                id=app_id, created_at=LONG_AGO, name=plan.name,
                device_id=self._device.id, paths=plan.paths,
            )
        )  # fmt: skip
        mark = (schedule, plan.keep, plan.destination_ids)
        policy = self._policies.get(mark)
        if policy is None:
            policy = PortablePolicy(
                id=self._id("policy", plan.name),
                created_at=LONG_AGO,
                name=f"{self._tool}: {plan.name}",
                schedule=schedule,
                timezone=self._timezone,
                destination_ids=plan.destination_ids,
                **msgspec.structs.asdict(plan.keep),
            )
            self._policies[mark] = policy
        self._configurations.append(
            PortableConfiguration(
                id=self._id("configuration", plan.name),
                created_at=LONG_AGO,
                app_id=app_id,
                policy_id=policy.id,
                exclude_paths=plan.excludes,
                enabled=plan.enabled and plan.schedule is not None,
            )
        )

    def found(self) -> Found:
        """All of it."""
        export = Export(
            instance_id=UUID(int=0),
            exported_at=LONG_AGO,
            devices=(self._device,),
            destinations=tuple(self._destinations),
            policies=tuple(self._policies.values()),
            apps=tuple(self._apps),
            configurations=tuple(self._configurations),
        )
        return Found(export=export, secrets=self._secrets, notes=tuple(self._notes))

    def secret_file(self, name: str) -> str:
        """The first line of a password file beside the configuration; empty, with a note, if
        it cannot be read."""
        path = self._folder / os.path.expanduser(name)
        try:
            return path.read_text(encoding="utf-8").split("\n", 1)[0].strip("\r")
        except (OSError, UnicodeDecodeError):
            self.note(f"the password file {path} cannot be read")
            return ""

    def absolute(self, paths: Iterable[str], where: str) -> tuple[str, ...]:
        """Paths as they are meant; those that depend on more than the file are noted."""
        kept = []
        for path in paths:
            if "$" in path or "{{" in path or "*" in path:
                self.note(f"{where}: the path {path!r} is a pattern")
                continue
            expanded = os.path.expanduser(path)
            kept.append(os.path.normpath(self._folder / expanded))
        return tuple(dict.fromkeys(kept))

    def _id(self, kind: str, name: str) -> UUID:
        return derived_id("imported", self._tool, self._device.id, kind, name)


def listed(value: object) -> tuple[str, ...]:
    """One text or several, as YAML files write either."""
    if value is None:
        return ()
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return tuple(str(each) for each in value)
    return (str(value),)


def mapping(value: object) -> dict[str, Any]:
    """A mapping, or an empty one for whatever else is there."""
    return {str(key): each for key, each in value.items()} if isinstance(value, dict) else {}


def count(value: object) -> int:
    """How many to keep; what is no number counts as none."""
    try:
        return max(0, int(str(value)))
    except ValueError:
        return 0


def keep_rules(settings: Mapping[str, Any]) -> KeepRules:
    """restic's ``keep-…`` options as they stand in YAML files."""
    return KeepRules(
        **{
            name: count(settings.get(name.replace("_", "-"), 0))
            for name in KeepRules.__struct_fields__
        }
    )
