"""Holdfast backs itself up, and comes back from that alone on another machine."""

import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.house import House, clean_environment

pytestmark = pytest.mark.e2e

SECRET = "correct horse battery staple of the repository"


def of_system(api: Any) -> dict[str, Any]:
    found = api.get("/backup/configurations")["configurations"]
    return {each["system_type"]: each for each in found if each["is_system_backup"]}


def the_file(api: Any, configuration: Any, back: Path) -> Path:
    """What a backup of it holds."""
    run = api.back_up(configuration)
    assert run["status"] == "success", run
    (snapshot,) = api.snapshots(configuration_id=configuration["id"], limit=1)
    api.restore(snapshot, back)
    (file,) = back.iterdir()
    return file


def restore_database(data: Path, file: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "holdfast", "restore-database", "--data", data, file, *words],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_database_comes_back_on_another_machine(
    make_house: Callable[..., House], tmp_path: Path
) -> None:
    house = make_house(HOLDFAST_SYSTEM_BACKUPS="on")
    api = house.api
    ties = of_system(api)
    assert set(ties) == {"database", "platform_config"}
    (tmp_path / "nas").mkdir()
    place = {
        "name": "nas",
        "device_id": api.device(),
        "path": str(tmp_path / "nas"),
        "repo_password": SECRET,
    }
    nas = api.post("/backup/destinations/local", place)
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "letter").write_text("dear")
    app = api.app("docs", docs)
    assert api.back_up(api.default_configuration(app))["status"] == "success"

    script = the_file(api, ties["database"], tmp_path / "back")
    assert script.name == "holdfast-database.sql"
    text = script.read_bytes()
    assert b"docs" in text
    for secret in (SECRET, api.token):
        assert secret.encode() not in text
    before = {
        path: api.get(path)
        for path in ("/apps", "/backup/policies", "/backup/configurations", "/devices")
    }
    (snapshot,) = api.snapshots(app_id=app["id"])
    house.stop()

    data = tmp_path / "another"
    refused = restore_database(house.data, script)
    assert refused.returncode != 0
    assert "--replace" in refused.stderr
    half = tmp_path / "half.sql"
    half.write_bytes(text[: len(text) // 2])
    broken = restore_database(data, half)
    assert broken.returncode != 0
    assert "Nothing was changed" in broken.stderr
    restored = restore_database(data, script)
    assert restored.returncode == 0, restored.stderr
    shutil.copy(house.data / "master-key", data / "master-key")

    again = House(data, HOLDFAST_SYSTEM_BACKUPS="on").start()
    try:
        api = again.api
        assert {path: api.get(path) for path in before} == before
        assert api.get(f"/backup/snapshots/{snapshot['id']}")["status"] == "success"
        # It opens its secrets, and goes on where it was.
        assert api.post(f"/backup/destinations/{nas['id']}/test")["success"] is True
        assert api.back_up(api.default_configuration(app))["status"] == "success"
        api.restore(snapshot, tmp_path / "there")
        assert (tmp_path / "there" / str(docs)[1:] / "letter").read_text() == "dear"
    finally:
        again.kill()


def test_what_is_there_is_set_aside_when_asked_to(
    make_house: Callable[..., House], tmp_path: Path
) -> None:
    house = make_house(HOLDFAST_SYSTEM_BACKUPS="on")
    api = house.api
    api.local("nas", tmp_path / "nas")
    script = the_file(api, of_system(api)["database"], tmp_path / "back")
    docs = tmp_path / "docs"
    docs.mkdir()
    api.app("made later", docs)

    running = restore_database(house.data, script, "--replace")
    assert running.returncode != 0
    assert "runs on" in running.stderr
    house.stop()
    replaced = restore_database(house.data, script, "--replace")
    assert replaced.returncode == 0, replaced.stderr
    assert "schema before_" in replaced.stdout
    house.start()
    assert house.api.get("/apps")["apps"] == []


def test_the_settings_and_files_it_was_started_with_are_backed_up(
    make_house: Callable[..., House], tmp_path: Path
) -> None:
    files = tmp_path / "stack"
    files.mkdir()
    (files / "docker-compose.yml").write_text("services: {}\n")
    house = make_house(
        HOLDFAST_SYSTEM_BACKUPS="on",
        HOLDFAST_PLATFORM_PATHS=f"{files}:{tmp_path / 'gone'}",
        HOLDFAST_MASTER_PASSPHRASE=SECRET,
    )
    api = house.api
    api.local("nas", tmp_path / "nas")
    tie = of_system(api)["platform_config"]
    run = api.back_up(tie)
    assert run["status"] == "partial"
    (snapshot,) = api.snapshots(configuration_id=tie["id"])
    assert snapshot["unreadable_files"] == [str(tmp_path / "gone")]
    api.restore(snapshot, tmp_path / "back")
    with tarfile.open(tmp_path / "back" / "holdfast-platform.tar") as archive:
        compose = archive.extractfile(f"{files}/docker-compose.yml"[1:])
        assert compose is not None
        assert compose.read() == b"services: {}\n"
        told = archive.extractfile("settings.json")
        assert told is not None
        settings = json.loads(told.read())
    assert settings["data"] == str(house.data)
    assert SECRET not in json.dumps(settings)


def test_who_switched_it_off_has_it_stay_off(
    make_house: Callable[..., House], tmp_path: Path
) -> None:
    house = make_house(HOLDFAST_SYSTEM_BACKUPS="on")
    ties = of_system(house.api)
    path = f"/backup/configurations/{ties['database']['id']}"
    assert house.api.http.delete(path).is_success
    house.api.patch(f"/backup/configurations/{ties['platform_config']['id']}", {"enabled": False})
    house.stop()
    house.start()
    left = of_system(house.api)
    assert set(left) == {"platform_config"}
    assert left["platform_config"]["enabled"] is False
