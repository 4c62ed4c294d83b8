"""The same services in their other form: apart from the servers, and apart from each other."""

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from support.house import Api, House, Process, clean_environment, wait_until
from support.trees import differences, make_tree, manifest

pytestmark = pytest.mark.e2e


def test_serve_all_on_outside_servers_does_the_main_job(
    tmp_path: Path, nats_url: str, postgres_dsn: str
) -> None:
    environment = {
        "HOLDFAST_DATA": str(tmp_path / "own"),
        "HOLDFAST_NATS_URL": nats_url,
        "HOLDFAST_POSTGRES_DSN": postgres_dsn,
        "HOLDFAST_LISTEN": "127.0.0.1:0",
        "HOLDFAST_MASTER_PASSPHRASE": "correct horse battery staple",
    }
    process = Process(["serve", "all"], tmp_path / "log", environment)
    api = Api(process.ready(), (tmp_path / "own" / "admin-token").read_text().strip())
    data = make_tree(tmp_path / "data")
    before = manifest(data)
    api.local("nas", tmp_path / "nas")
    app = api.app("notes", data)

    run = api.back_up(api.default_configuration(app))
    (snapshot,) = api.snapshots(app_id=app["id"])
    api.restore(snapshot, tmp_path / "back")
    api.close()
    code = process.stop()

    assert run["status"] == "success"
    assert differences(before, manifest(tmp_path / "back" / data.relative_to("/"))) == []
    assert not (tmp_path / "own" / "master-key").exists()
    assert code == 0


def test_a_second_up_on_the_same_directory_is_refused(house: House) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "holdfast", "up", "--data", str(house.data)],
        capture_output=True,
        text=True,
        timeout=60,
        env=clean_environment(),
        check=False,
    )

    assert second.returncode == 1
    assert "Another 'holdfast up' runs" in second.stderr


@pytest.mark.parametrize(
    ("names", "says"), [(["nobody"], "There is no service"), (["catalog"], "HOLDFAST_NATS_URL")]
)
def test_serve_says_what_is_wrong(names: list[str], says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "holdfast", "serve", *names],
        capture_output=True,
        text=True,
        timeout=60,
        env=clean_environment()
        | ({"HOLDFAST_NATS_URL": "nats://x"} if names == ["nobody"] else {}),
        check=False,
    )

    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes webhooks in, with what a receiver needs to verify them."""

    taken: list[tuple[bytes, dict[str, str]]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).taken.append((body, dict(self.headers)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[tuple[bytes, dict[str, str]]]]]:
    taken: list[tuple[bytes, dict[str, str]]] = []
    handler = type("Handler", (Receiver,), {"taken": taken})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook", taken
    server.shutdown()
    server.server_close()


def test_the_end_of_a_backup_is_told_by_a_signed_webhook(
    make_house: Callable[..., House], receiver: Any, tmp_path: Path
) -> None:
    url, taken = receiver
    house = make_house(HOLDFAST_WEBHOOK_URL=url)
    house.api.local("nas", tmp_path / "nas")
    app = house.api.app("told", make_tree(tmp_path / "data"))

    run = house.api.back_up(house.api.default_configuration(app))
    wait_until(lambda: taken, what="a webhook came")

    body, headers = taken[0]
    secret = (house.data / "webhook-secret").read_text().strip()
    Webhook(secret).verify(body.decode(), {name.lower(): text for name, text in headers.items()})
    assert json.loads(body)["run_id"] == run["id"]
    assert json.loads(body)["app_name"] == "told"
