"""A mark on disk that a run's checks are done and its writing has begun."""

import os

from holdfast.executor.attempt import Attempt


class Begun:
    """What is in the way afterwards is the run's own half-written work.

    The mark lies in the cache: without it a restore that is taken up again is refused, and
    nothing is harmed.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._path = attempt.deps.cache / "restores" / str(attempt.work.run_id)

    def is_marked(self) -> bool:
        """Whether it has begun, be it in an attempt before this one."""
        return self._path.exists()

    def mark(self) -> None:
        """From now on it has."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch()
        # A machine that loses power must find the mark if it finds what came after it.
        descriptor = os.open(self._path.parent, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)

    def clear(self) -> None:
        """It is over."""
        self._path.unlink(missing_ok=True)
