"""Looking into a snapshot: from what the catalog keeps, whatever the repository does."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.house import House, wait_until

pytestmark = pytest.mark.e2e


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    root = tmp_path / "docs"
    (root / "many").mkdir(parents=True)
    for number in range(1203):
        (root / "many" / f"{number:04}").touch()
    (root / "letters" / "2024").mkdir(parents=True)
    (root / "letters" / "2024" / "a letter.txt").write_text("dear")
    (root / "line\nbreak").write_text("1")
    (root / "link").symlink_to("letters")
    with open(os.fsencode(root) + b"/caf\xe9", "wb") as odd:
        odd.write(b"12")
    return root


def names(page: Any) -> list[str]:
    return [each["name"] for each in page["files"]]


def test_a_snapshot_is_looked_into_while_its_repository_is_away(
    make_house: Callable[..., House], docs: Path, tmp_path: Path
) -> None:
    house = make_house()
    api = house.api
    api.local("nas", tmp_path / "nas")
    tie = api.default_configuration(api.app("docs", docs))
    assert api.back_up(tie)["status"] == "success"
    (snapshot,) = api.snapshots()
    shutil.move(tmp_path / "nas", tmp_path / "in-the-cupboard")

    files = f"/backup/snapshots/{snapshot['id']}/files"
    top = api.get(files)
    assert names(top) == [docs.parts[1]]
    assert top["total_files"] == 1203 + 4
    page = api.get(files, path=str(docs))
    assert names(page) == ["letters", "many", "caf\ufffd", "line\nbreak", "link"]
    letters, many, odd, broken, link = page["files"]
    assert (letters["type"], letters["files"], letters["size"]) == ("dir", 1, 4)
    assert (many["files"], many["path"]) == (1203, f"{docs}/many")
    assert (odd["size"], broken["size"], link["type"]) == (2, 1, "symlink")
    (letter,) = api.get(files, path=f"{docs}/letters/2024/")["files"]
    assert letter["name"] == "a letter.txt"
    assert letter["permissions"].startswith("-rw")

    seen: list[str] = []
    page = {"next_cursor": None}
    while not seen or page["next_cursor"]:
        cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else {}
        page = api.get(files, path=f"{docs}/many", limit=500, **cursor)
        seen += names(page)
    assert seen == [f"{number:04}" for number in range(1203)]

    for path, words in (
        (f"{docs}/nothing", "has no folder"),
        (f"{docs}/line\nbreak", "is no folder"),
        (f"{docs}/letters/2024/a letter.txt/x", "lies below a file"),
    ):
        refused = api.http.get(files, params={"path": path})
        assert (refused.status_code, refused.json()["code"]) == (404, "no_such_folder")
        assert words in refused.json()["detail"]
    assert api.http.get(files, params={"path": "/a/../b"}).status_code == 400
    assert api.http.get(files, params={"cursor": "x"}).status_code == 400

    shown = house.command("files", "latest:docs", docs)
    assert shown.returncode == 0, shown.stderr
    assert "letters/" in shown.stdout
    assert "1207 files" in shown.stdout


def test_the_files_of_an_adopted_snapshot_are_asked_for_when_somebody_looks(
    make_house: Callable[..., House], docs: Path, tmp_path: Path
) -> None:
    first = make_house()
    api = first.api
    api.local("nas", tmp_path / "nas")
    assert api.back_up(api.default_configuration(api.app("docs", docs)))["status"] == "success"
    (entry,) = api.post("/backup/recovery-kit", {"format": "json"})["destinations"]
    first.stop()

    second = make_house()
    api = second.api
    body = {
        "name": "nas",
        "device_id": api.device(),
        "path": str(tmp_path / "nas"),
        "repo_password": entry["password"],
    }
    api.post("/backup/destinations/local", body)
    (snapshot,) = wait_until(api.snapshots, what="its snapshot is known")
    files = f"/backup/snapshots/{snapshot['id']}/files"
    looked = api.http.get(files)
    assert (looked.status_code, looked.json()["code"]) == (409, "files_not_listed_yet")
    assert api.http.get(files).status_code in (200, 409)
    wait_until(lambda: api.http.get(files).status_code == 200, what="its files are known")
    (run,) = api.get("/backup/runs", operation="list_files")["runs"]
    assert api.outcome(run["id"])["result"]["files"] == 1207
    assert names(api.get(files, path=str(docs)))[0] == "letters"
