"""A pack that goes bad at its destination is found, named and told, and mended it is well again."""

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
import pytest

from support.house import House, wait_until
from support.trees import make_tree

pytestmark = pytest.mark.e2e


@pytest.fixture
def told() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a receiver of webhooks, and what it took."""
    taken: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            taken.append(msgspec.json.decode(body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", taken
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_damaged_pack_is_found_named_told_once_and_cleared(
    make_house: Callable[..., House], told: Any, tmp_path: Path
) -> None:
    url, taken = told
    api = make_house(HOLDFAST_WEBHOOK_URL=url).api
    place = api.local("nas", tmp_path / "nas")
    app = api.app("notes", make_tree(tmp_path / "data"))
    run = api.back_up(api.default_configuration(app))
    assert run["status"] == "success"
    (snapshot,) = api.snapshots(app_id=app["id"])
    path = f"/backup/destinations/{place['id']}"

    def check(**body: str) -> Any:
        return api.outcome(api.post(f"{path}/check", body or None)["run_id"])

    sound = check(read_data="all")
    packs = (path for path in (tmp_path / "nas").rglob("data/??/*") if path.is_file())
    pack = max(packs, key=lambda path: path.stat().st_size)
    whole = pack.read_bytes()
    pack.chmod(0o600)
    pack.write_bytes(whole[:100] + bytes([whole[100] ^ 0xFF]) + whole[101:])
    found = [check(read_data="all"), check()]
    damaged = api.get(path)
    view = api.get(f"{path}/verification")

    def damage_told() -> list[dict[str, Any]]:
        return [each for each in taken if each["type"] == "repository.damaged"]

    wait_until(damage_told, what="the damage was told")
    pack.write_bytes(whole)
    mended = check()

    assert sound["status"] == mended["status"] == "success"
    assert sound["result"]["stats"]["raw_size"] > 0
    for each in found:
        assert each["failure"]["code"] == "repository_damaged"
        assert each["result"]["damaged_packs"] == [pack.name]
        assert each["result"]["restic_snapshot_ids"] == [snapshot["restic_snapshot_id"]]
    assert (damaged["health"], view["damaged_packs"]) == ("damaged", [pack.name])
    assert damaged["damaged_since"] is not None
    assert api.get(path)["health"] == "ok"
    assert api.get(f"{path}/stats")["cost"]["monthly"] == 0
    # What is told later is told after it: a backup's end.
    api.back_up(api.default_configuration(app))
    wait_until(lambda: sum(each["type"] == "backup.succeeded" for each in taken) == 2)
    assert len(damage_told()) == 1
    assert pack.name in damage_told()[0]["text"]
    assert not [each for each in taken if each["type"] == "check.failed"]
