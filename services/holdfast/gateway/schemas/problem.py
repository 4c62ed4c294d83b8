"""Problem details (RFC 9457): the one shape of every error."""

from uuid import UUID

import msgspec


class FieldError(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with a request."""

    field: str
    """Where in the body, as in ``paths[0]``, or the parameter's name; empty: the body itself."""
    message: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a request was not done.  ``code`` is stable, the texts are for people."""

    type: str
    """``urn:holdfast:problem:`` and the code."""
    title: str
    status: int
    detail: str
    code: str
    guidance: str
    """What a person can do; may be empty."""
    instance: str
    """The request's path; for a run its path; for an internal error the id that is in the log."""
    cause: str = ""
    """The words of the program underneath (restic, S3)."""
    run_id: UUID | None = None
    """The run that failed, or that still goes on."""
    errors: tuple[FieldError, ...] = ()
