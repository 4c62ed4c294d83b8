"""What is deployed agrees with the code, and the lock files with what they promise."""

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from holdfast.cli.services import NAMES

TOP = Path(__file__).parents[2]
NEEDED = {"HOLDFAST_POSTGRES_PASSWORD": "p", "HOLDFAST_NATS_TOKEN": "t"}


@cache
def compose() -> Any:
    return yaml.safe_load((TOP / "docker-compose.yml").read_text(encoding="utf-8"))


def compose_command() -> list[str] | None:
    """docker compose in either form, or None."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) is None:
            continue
        if subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0:
            return command
    return None


def test_compose_takes_the_file() -> None:
    command = compose_command()
    if command is None:
        pytest.skip("there is no docker compose here; the tests below read the file themselves")

    done = subprocess.run(
        [*command, "--profile", "allinone", "config", "--quiet"],
        cwd=TOP,
        env={**os.environ, **NEEDED},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_compose_has_one_container_for_every_service_of_the_code() -> None:
    served = [
        service["command"][1]
        for service in compose()["services"].values()
        if service.get("command", [""])[0] == "serve"
    ]

    assert sorted(served) == sorted(NAMES)


def test_every_container_has_its_own_host_name_and_volume() -> None:
    services = compose()["services"]
    names = [service["hostname"] for service in services.values()]
    volumes = [
        volume.partition(":")[0]
        for service in services.values()
        for volume in service["volumes"]
        if volume.partition(":")[0] in compose()["volumes"]
    ]

    assert len(set(names)) == len(names)
    assert sorted(volumes) == sorted(compose()["volumes"])
    assert len(set(volumes)) == len(services)


def test_every_variable_that_compose_asks_for_is_in_the_example() -> None:
    asked = set(re.findall(r"\$\{(\w+)", (TOP / "docker-compose.yml").read_text(encoding="utf-8")))
    example = (TOP / ".env.example").read_text(encoding="utf-8")
    offered = set(re.findall(r"^#? ?(\w+)=", example, re.MULTILINE))
    # Their defaults are right for nearly everybody.
    asked -= {"HOLDFAST_VERSION", "HOLDFAST_SITE", "HOLDFAST_LOG_LEVEL"}

    assert asked == offered


@pytest.mark.parametrize("name", ["run", "dev", "just"])
def test_a_lock_file_pins_everything_by_digest_and_names_no_server(name: str) -> None:
    text = (TOP / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    entries = [entry for entry in re.split(r"\n(?=\S)", text) if not entry.startswith("#")]

    assert "://" not in text
    assert "index-url" not in text
    assert entries
    for entry in entries:
        assert re.match(r"[\w.-]+==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_a_lock_file_has_what_its_source_asks_for() -> None:
    for name in ("run", "dev", "just"):
        source = (TOP / "requirements" / f"{name}.in").read_text(encoding="utf-8")
        wanted = set(re.findall(r"^([\w.-]+)(?:[=<>]|$)", source, re.MULTILINE))
        locked = (TOP / "requirements" / f"{name}.txt").read_text(encoding="utf-8")

        assert wanted <= set(re.findall(r"^([\w.-]+)==", locked, re.MULTILINE))


def test_the_distribution_depends_on_what_the_lock_is_made_from() -> None:
    import tomllib

    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    source = (TOP / "requirements" / "run.in").read_text(encoding="utf-8")
    locked_for = set(re.findall(r"^([\w.-]+)(?:[=<>]|$)", source, re.MULTILINE))
    # The build backend: in the lock, so that the project installs without fetching it.
    build = {"hatchling", "editables"}

    declared = {re.split(r"[=<>\[]", each)[0] for each in project["dependencies"]}

    assert declared == locked_for - build


@pytest.mark.parametrize("script", ["just", "deploy/setup.sh", "deploy/install-tool.sh"])
def test_scripts_are_plain_shell_and_can_be_run(script: str) -> None:
    assert (TOP / script).stat().st_mode & 0o111
    subprocess.run(["sh", "-n", TOP / script], check=True)
