"""Small apps, three local repositories, and backups without end."""

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx

from chaos.broken import demand
from holdfast.cli.manifest import Entry
from support.house import OUTCOMES, Api
from support.trees import make_tree, manifest

T = TypeVar("T")

REPOSITORIES = ("one", "two", "three")
PASSWORD = "one password for all of them"
APPS: dict[str, tuple[str, ...]] = {
    "photos": ("one", "two", "three"),
    "notes": ("one", "two"),
    "wiki": ("two", "three"),
    "mail": ("three", "one"),
}
CLOCKED: dict[str, tuple[str, ...]] = {"calendar": ("one", "two"), "contacts": ("three",)}
"""Nobody asks for their backups: they are due every minute."""

KEEP_LAST = {"notes": 2}
"""Its snapshots are forgotten while others are made; those of the rest are all kept."""

PATIENCE_SECONDS = 60.0
PASSING = (502, 503, 504)


class Load:
    """What is backed up and where to, and every run that was asked for."""

    def __init__(self, api: Api, folder: Path, seed: int) -> None:
        self.api = api
        self.folder = folder
        self.dice = random.Random(f"{seed} load")
        self.repositories: dict[str, Any] = {}
        self.configurations: dict[str, Any] = {}
        self.contents: dict[str, dict[str, Entry]] = {}
        """What an app was to the byte when the run was asked for, by run id."""
        self.refusals: Counter[str] = Counter()
        """How often a request was refused while something was down, by code."""
        self._last: dict[str, str] = {}

    def prepare(self) -> None:
        """Before the first fault."""
        for name in REPOSITORIES:
            path = self.folder / "repositories" / name
            path.mkdir(parents=True)
            body = {"name": name, "path": str(path), "repo_password": PASSWORD}
            body["device_id"] = self.api.device()
            self.repositories[name] = self.api.post("/backup/destinations/local", body)
        for name, places in APPS.items():
            self._add(name, places, "0 3 29 2 *")
        for name, places in CLOCKED.items():
            self._add(name, places, "* * * * *")

    def _add(self, name: str, places: tuple[str, ...], schedule: str) -> None:
        """An app with a policy of its own; its default configuration is never due here."""
        self.tree(name).parent.mkdir(parents=True, exist_ok=True)
        make_tree(self.tree(name), len(self.configurations))
        policy = self.api.policy(
            name,
            *(self.repositories[place] for place in places),
            schedule=schedule,
            keep_last=KEEP_LAST.get(name, 0),
            **NONE,
        )
        app = self.api.app(name, self.tree(name))
        self.configurations[name] = self.api.configuration(app, policy)

    def stop_the_clock(self) -> None:
        """Nothing comes due any more."""
        for name in CLOCKED:
            policy = self.configurations[name]["policy_id"]
            self.ask(
                lambda policy=policy: self.api.patch(
                    f"/backup/policies/{policy}", {"enabled": False}
                )
            )

    def ledger(self, app: str) -> list[Any]:
        """What became of its due times, newest first."""
        id = self.configurations[app]["id"]
        return self.all_of(f"/backup/configurations/{id}/schedule", "past")

    def tree(self, app: str) -> Path:
        return self.folder / "apps" / app

    def ask(self, question: Callable[[], T]) -> T:
        """As a patient client asks: again, while the answer is that a part is away."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return question()
            except httpx.TransportError as error:
                reason = type(error).__name__
            except AssertionError as error:
                reason = str(error).partition(":")[0]
                passing = reason.isdigit() and int(reason) in PASSING
                demand(passing, "the API says when a part is away", error)
            self.refusals[reason] += 1
            demand(time.monotonic() < deadline, "the API comes back", reason)
            time.sleep(0.1)

    def start_one(self) -> bool:
        """Ask for one more backup, if there is an app that is not being backed up."""
        free = [name for name in APPS if self._is_free(name)]
        if not free:
            return False
        app = self.dice.choice(free)
        self._change(app)
        content = manifest(self.tree(app))
        run_id = self.ask(lambda: self.api.start(self.configurations[app]))["run_id"]
        self._last[app] = run_id
        if run_id in self.contents:
            return False
        self.contents[run_id] = content
        return True

    def _is_free(self, app: str) -> bool:
        last = self._last.get(app)
        return last is None or self.ask(lambda: self.api.run(last))["status"] in OUTCOMES

    def _change(self, app: str) -> None:
        """A little of it, and one block that takes restic a moment."""
        place = self.tree(app) / "sub dir" / f"file {self.dice.randrange(12)}.bin"
        place.write_bytes(self.dice.randbytes(self.dice.randrange(200_000)))
        block = self.tree(app) / "block"
        block.write_bytes(self.dice.randbytes(self.dice.choice((1, 4, 12)) * 1024 * 1024))

    def all_of(self, path: str, key: str, **parameters: Any) -> list[Any]:
        """Every page of a list."""
        found: list[Any] = []
        while True:
            page = self.ask(lambda: self.api.get(path, limit=100, **parameters))
            found += page[key]
            if not page.get("next_cursor"):
                return found
            parameters["cursor"] = page["next_cursor"]


NONE = {f"keep_{unit}": 0 for unit in ("hourly", "daily", "weekly", "monthly", "yearly")}
