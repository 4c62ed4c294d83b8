"""From rows to structs, and from the database's refusals to errors that people may read."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import asyncpg
import msgspec

from holdfast.kernel.errors import ConflictError, HoldfastError, InvalidRequestError

T = TypeVar("T")

_TAKEN = {
    "device_name_key": ("Another device has this name.", "Choose another name."),
    "app_name_key": ("Another app has this name.", "Choose another name."),
    "destination_name": ("Another destination has this name.", "Choose another name."),
    "destination_place": (
        "Another destination is at this place.",
        "Use that one, or choose another path or prefix.",
    ),
    "credential_change_destination_id_key": (
        "New credentials of this destination are being tried.",
        "Wait for that run, or cancel it.",
    ),
    "policy_name_key": ("Another policy has this name.", "Choose another name."),
    "configuration_tie": (
        "The app has a configuration with this policy already.",
        "Change or delete that one.",
    ),
}

_IN_USE = {
    "app_device_id_fkey": "An app is on this device.",
    "destination_local_device_id_fkey": "A destination is, or was, on this device.",
    "device_jump_device_id_fkey": "Another device is reached through it.",
    "run_device_id_fkey": "There are runs of this device in the history.",
}

_UNKNOWN = {
    "app_device_id_fkey": "device_id: there is no such device.",
    "destination_local_device_id_fkey": "device_id: there is no such device.",
    "device_jump_device_id_fkey": "jump_device_id: there is no such device.",
    "configuration_app_id_fkey": "app_id: there is no such app.",
    "configuration_policy_id_fkey": "policy_id: there is no such policy.",
}


def to_struct(row: asyncpg.Record, type_: type[T]) -> T:
    """*row* as a struct with fields of the same names; more columns are passed over."""
    return msgspec.convert(dict(row), type_)


def to_structs(rows: Iterable[asyncpg.Record], type_: type[T]) -> tuple[T, ...]:
    """Each of *rows* as a struct."""
    return tuple(to_struct(row, type_) for row in rows)


def the_row(row: asyncpg.Record | None) -> asyncpg.Record:
    """The row of a statement that always returns one."""
    if row is None:
        raise LookupError("A statement that always returns a row returned none.")
    return row


@contextmanager
def still_used() -> Iterator[None]:
    """A row that others refer to stays: ConflictError tells by what."""
    try:
        yield
    except asyncpg.ForeignKeyViolationError as error:
        message = _IN_USE.get(error.constraint_name or "", "It is still in use.")
        raise ConflictError(message, detail=str(error)) from error


@contextmanager
def refusals() -> Iterator[None]:
    """Unique and foreign keys speak: ConflictError, or InvalidRequestError with the field.

    The constraint is what decides, not a look beforehand: two requests at once cannot both pass.
    """
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise _told(error.constraint_name, error) from error
    except asyncpg.ForeignKeyViolationError as error:
        message = _UNKNOWN.get(error.constraint_name or "")
        if message is None:
            raise
        raise InvalidRequestError(message) from error


def _told(constraint: str | None, error: asyncpg.PostgresError) -> HoldfastError:
    if constraint not in _TAKEN:
        return ConflictError("It exists already.", detail=str(error))
    message, guidance = _TAKEN[constraint]
    return ConflictError(message, guidance=guidance)
