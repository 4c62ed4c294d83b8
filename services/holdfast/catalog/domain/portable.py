"""What an import makes of a file, beside what is there.  Pure: two exports in, a plan out.

A thing of the file is known again by its id, or by what nobody else may have: the name, the
repository, the place, the tie.  What is there and differs is a conflict, and left alone, unless
the file's version is asked for.  While nothing is protected yet, the file's word counts for
what a first start made.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Generic, TypeVar
from uuid import UUID

import msgspec

from holdfast.catalog.domain.s3_place import s3_place
from holdfast.events.portable import (
    FORMAT,
    VERSION,
    Export,
    Portable,
    PortableApp,
    PortableConfiguration,
    PortableDestination,
    PortableDevice,
    PortablePolicy,
)
from holdfast.events.queries import ImportEntry, Verdict
from holdfast.events.work import DestinationType
from holdfast.kernel.errors import InvalidRequestError

P = TypeVar("P", bound=Portable)
P_co = TypeVar("P_co", bound=Portable, covariant=True)

SameSecrets = Callable[[UUID, UUID], bool | None]
"""Whether the file's secrets of one destination open another; None: the file holds none."""

LOCATION = (
    "local_device_id", "local_path", "parent_path", "s3_endpoint", "s3_bucket", "s3_region",
    "s3_prefix", "s3_addressing", "s3_ca_certificate", "sftp_host", "sftp_port", "sftp_user",
    "sftp_path", "sftp_host_key",
)  # fmt: skip
"""The fields of a destination that say how it is reached."""


class Step(msgspec.Struct, Generic[P_co], frozen=True, kw_only=True):
    """One thing of the file, with the ids that it has and refers to here."""

    entry: ImportEntry
    item: P_co
    renames: UUID | None = None
    """The id that it has here until now; it takes the file's."""

    @property
    def is_written(self) -> bool:
        """Whether a row is made or changed."""
        return self.entry.verdict in (Verdict.CREATED, Verdict.CHANGED)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All steps, in an order in which they can be taken."""

    devices: tuple[Step[PortableDevice], ...]
    destinations: tuple[Step[PortableDestination], ...]
    policies: tuple[Step[PortablePolicy], ...]
    apps: tuple[Step[PortableApp], ...]
    configurations: tuple[Step[PortableConfiguration], ...]

    @property
    def entries(self) -> tuple[ImportEntry, ...]:
        """What is told of it."""
        steps: Iterable[Step[Portable]] = (
            *self.devices, *self.destinations, *self.policies, *self.apps, *self.configurations,
        )  # fmt: skip
        return tuple(step.entry for step in steps)


def checked_version(file: Export) -> None:
    """Raises InvalidRequestError for what this release cannot read."""
    if file.format != FORMAT:
        raise InvalidRequestError("The file is no export of Holdfast.")
    if file.version > VERSION:
        raise InvalidRequestError(
            f"The file is of version {file.version}; this release reads up to {VERSION}.",
            guidance="Update Holdfast first.",
        )


def place_of(destination: PortableDestination) -> str:
    """Where it is in one line, spelled as ``NewDestination.place``: two cannot share it."""
    match destination.type:
        case DestinationType.LOCAL:
            return f"local:{destination.local_device_id}:{destination.local_path}"
        case DestinationType.S3:
            return s3_place(
                endpoint=destination.s3_endpoint,
                bucket=destination.s3_bucket,
                region=destination.s3_region,
                prefix=destination.s3_prefix,
            ).place
        case DestinationType.SFTP:
            where = f"{destination.sftp_user}@{destination.sftp_host}:{destination.sftp_port}"
            return f"sftp:{where}:{destination.sftp_path}"


class Planner:
    """Goes through the file once; what a thing is called here is known from then on."""

    def __init__(
        self,
        file: Export,
        here: Export,
        same_secrets: SameSecrets,
        *,
        replace: bool,
        found_at: UUID | None = None,
    ) -> None:
        """*found_at*: the destination here in which the file was found, if it was in one."""
        self._file = file
        self._here = here
        self._same_secrets = same_secrets
        self._replace = replace
        self._found_at = found_at
        self._fresh = not here.apps
        self._ids: dict[UUID, UUID] = {}

    def plan(self) -> Plan:
        """Decide about everything."""
        checked_version(self._file)
        return Plan(
            devices=tuple(self._device(each) for each in self._file.devices),
            destinations=tuple(self._destination(each) for each in self._file.destinations),
            policies=tuple(self._policy(each) for each in self._file.policies),
            apps=tuple(self._app(each) for each in self._file.apps),
            configurations=tuple(self._configuration(each) for each in self._file.configurations),
        )

    def _device(self, item: PortableDevice) -> Step[PortableDevice]:
        jump = item.jump_device_id
        if jump is not None and jump not in self._ids:
            return self._left_out("device", item, "The device on the way to it is not in the file.")
        item = msgspec.structs.replace(
            item, jump_device_id=None if jump is None else self._ids[jump]
        )
        here = self._known(item, self._here.devices, lambda each: each.name)
        used = here is not None and any(each.device_id == here.id for each in self._here.apps)
        step = self._step("device", item, here, takes_id=not used, willing=self._fresh)
        if step.renames is not None:
            self._here = _with_device_renamed(self._here, step.renames, step.item.id)
        return step

    def _destination(self, item: PortableDestination) -> Step[PortableDestination]:
        item = msgspec.structs.replace(
            item, local_device_id=self._ids.get(item.local_device_id, item.local_device_id)
            if item.local_device_id else None,
        )  # fmt: skip
        here = self._known(
            item, self._here.destinations,
            lambda each: each.repository_id or None, place_of, lambda each: each.name,
        )  # fmt: skip
        if self._found_at is not None:
            return self._of_manifest(item, here)
        if here is not None and not item.repository_id:
            # A person's word on where it is says nothing of what is known already.
            item = msgspec.structs.replace(item, repository_id=here.repository_id)
        if here is None and self._same_secrets(item.id, item.id) is None:
            return self._left_out(
                "destination", item, "The file holds no secrets for it: add it with its password."
            )
        same = here is None or self._same_secrets(item.id, here.id) is not False
        return self._step("destination", item, here, more=() if same else ("secrets",))

    def _of_manifest(
        self, item: PortableDestination, here: PortableDestination | None
    ) -> Step[PortableDestination]:
        """A manifest is found in one destination, which it tells of; it cannot open others."""
        if here is None:
            return self._left_out("destination", item, "Rebuild from it, too, to have it back.")
        if here.id != self._found_at:
            self._ids[item.id] = here.id
            return _made("destination", msgspec.structs.replace(item, id=here.id))
        # Where it is, the person has just said; the rest is the manifest's.
        location = {name: getattr(here, name) for name in LOCATION}
        item = msgspec.structs.replace(item, repository_id=here.repository_id, **location)
        step = self._step("destination", item, here, takes_id=True, willing=True)
        if step.renames is not None:
            self._here = _with_destination_renamed(self._here, step.renames, step.item.id)
        return step

    def _policy(self, item: PortablePolicy) -> Step[PortablePolicy]:
        item = msgspec.structs.replace(
            item,
            destination_ids=tuple(
                self._ids[each] for each in item.destination_ids if each in self._ids
            ),
        )
        here = self._known(item, self._here.policies, lambda each: each.name)
        if item.is_default and not (self._replace or self._fresh):
            # The mark is not taken from another without being asked to.
            item = msgspec.structs.replace(item, is_default=here is not None and here.is_default)
        elif here is not None and here.is_default:
            item = msgspec.structs.replace(item, is_default=True)
        used = here is not None and any(
            each.policy_id == here.id for each in self._here.configurations
        )
        return self._step("policy", item, here, takes_id=not used, willing=self._fresh)

    def _app(self, item: PortableApp) -> Step[PortableApp]:
        device_id = self._ids.get(item.device_id)
        if device_id is None:
            return self._left_out("app", item, "Its device is not in the file.")
        item = msgspec.structs.replace(item, device_id=device_id)
        here = self._known(item, self._here.apps, lambda each: each.name)
        return self._step("app", item, here)

    def _configuration(self, item: PortableConfiguration) -> Step[PortableConfiguration]:
        app_id = self._ids.get(item.app_id) if item.app_id else None
        policy_id = self._ids.get(item.policy_id)
        if policy_id is None or (item.app_id and app_id is None):
            return self._left_out("configuration", item, "Its app or policy is not in the file.")
        item = msgspec.structs.replace(item, app_id=app_id, policy_id=policy_id)
        here = self._known(
            item, self._here.configurations,
            lambda each: (each.app_id, each.policy_id) if each.app_id else None,
        )  # fmt: skip
        return self._step("configuration", item, here)

    def _known(
        self, item: P, here: Sequence[P], *marks: Callable[[P], Hashable | None]
    ) -> P | None:
        """The same thing here, if there is one."""
        for mark in (_id, *marks):
            wanted = mark(item)
            for each in here:
                if wanted is not None and mark(each) == wanted:
                    return each
        return None

    def _step(
        self,
        kind: str,
        item: P,
        here: P | None,
        *,
        takes_id: bool = False,
        willing: bool = False,
        more: tuple[str, ...] = (),
    ) -> Step[P]:
        """*takes_id*: it may have the file's id; *willing*: its difference is no conflict."""
        file_id = item.id
        if here is None:
            self._ids[file_id] = file_id
            return _made(kind, item, Verdict.CREATED)
        fields = (*_differences(item, here), *more)
        conflict = bool(fields) and not (self._replace or willing)
        renames = here.id if takes_id and not conflict and here.id != file_id else None
        if renames is None:
            item = msgspec.structs.replace(item, id=here.id)
        self._ids[file_id] = item.id
        if not fields:
            return _made(kind, item, renames=renames)
        verdict = Verdict.CONFLICT if conflict else Verdict.CHANGED
        return _made(kind, item, verdict, f"Differs in {', '.join(fields)}.", renames)

    def _left_out(self, kind: str, item: P, reason: str) -> Step[P]:
        return _made(kind, item, Verdict.CONFLICT, reason)


def _made(
    kind: str,
    item: P,
    verdict: Verdict = Verdict.UNCHANGED,
    reason: str = "",
    renames: UUID | None = None,
) -> Step[P]:
    name = getattr(item, "name", "") or str(item.id)
    entry = ImportEntry(kind=kind, id=item.id, name=name, verdict=verdict, reason=reason)
    return Step(entry=entry, item=item, renames=renames)


def _differences(item: P, here: P) -> tuple[str, ...]:
    return tuple(
        name
        for name in type(item).__struct_fields__
        if name not in ("id", "created_at") and getattr(item, name) != getattr(here, name)
    )


def _with_device_renamed(here: Export, old: UUID, new: UUID) -> Export:
    """As it is once the device has its new id: its destinations follow, and those
    that are reached through it."""
    destinations = tuple(
        msgspec.structs.replace(each, local_device_id=new) if each.local_device_id == old else each
        for each in here.destinations
    )
    devices = tuple(
        msgspec.structs.replace(each, jump_device_id=new) if each.jump_device_id == old else each
        for each in here.devices
    )
    return msgspec.structs.replace(here, destinations=destinations, devices=devices)


def _with_destination_renamed(here: Export, old: UUID, new: UUID) -> Export:
    """As it is once the destination has its new id: policies that list it follow."""
    policies = tuple(
        msgspec.structs.replace(
            each, destination_ids=tuple(new if one == old else one for one in each.destination_ids)
        )
        for each in here.policies
    )
    return msgspec.structs.replace(here, policies=policies)


def _id(item: Portable) -> UUID:
    return item.id
