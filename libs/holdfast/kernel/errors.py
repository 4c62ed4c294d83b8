"""The one family of errors that people may read."""


class HoldfastError(Exception):
    """Something went wrong in Holdfast.

    The docstring's first line is the default message, so a subclass reads as a
    fact.  ``code`` is stable and machine readable, ``guidance`` says what a
    person can do, ``retryable`` whether the same call may succeed later,
    ``status`` the HTTP status that the gateway answers with, and ``detail``
    keeps the words of the program underneath (restic, S3), never a secret.
    """

    code: str = "internal_error"
    guidance: str = ""
    retryable: bool = False
    status: int = 500

    def __init__(self, message: str = "", *, guidance: str = "", detail: str = "") -> None:
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.hint = guidance or self.guidance
        self.detail = detail
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InvalidRequestError(HoldfastError):
    """The request is not valid."""

    code = "invalid_request"
    status = 400


class EventRefusedError(HoldfastError):
    """An event cannot be said, now or later: it does not read, or it is too large for the bus."""

    code = "event_refused"


class NotFoundError(HoldfastError):
    """There is no such thing."""

    code = "not_found"
    status = 404


class ConflictError(HoldfastError):
    """The request does not fit the present state."""

    code = "conflict"
    status = 409


class UnauthorizedError(HoldfastError):
    """The token is missing or not known."""

    code = "unauthorized"
    guidance = (
        "Send 'Authorization: Bearer <token>'; the administrator's token is in DIR/admin-token."
    )
    status = 401


class UnavailableError(HoldfastError):
    """A part of Holdfast does not answer right now."""

    code = "unavailable"
    guidance = "Try again in a moment; 'holdfast doctor' says what is missing."
    retryable = True
    status = 503
