"""The steps of a restore, each with the time that it took."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime

from holdfast.events.restoring import AppRestoreStep
from holdfast.executor.domain import seconds_between


class Steps:
    """What was done so far, and what was being done last."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.done: list[AppRestoreStep] = []
        self.current = ""

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """While the block lasts *name* is done; one that fails counts as done, too."""
        self.current = name
        began = self._now()
        try:
            yield
        finally:
            seconds = seconds_between(began, self._now())
            self.done.append(AppRestoreStep(name=name, seconds=seconds))
