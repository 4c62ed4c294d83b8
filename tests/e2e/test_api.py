"""What the API answers to what is wrong, and to what is only unusual."""

import json
import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from support.house import House, wait_until
from support.servers import free_port
from support.trees import make_tree

pytestmark = [pytest.mark.e2e, pytest.mark.s3]

NOBODY = str(uuid4())


@pytest.fixture(scope="module")
def protected(house: House, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One app with one backup."""
    scratch = tmp_path_factory.mktemp("api")
    place = house.api.local("api nas", scratch / "nas")
    policy = house.api.policy("api policy", place)
    app = house.api.app("api app", make_tree(scratch / "data", seed=9))
    configuration = house.api.configuration(app, policy)
    run = house.api.back_up(configuration)
    return {
        "place": place,
        "policy": policy,
        "app": app,
        "configuration": configuration,
        "run": run,
    }


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer hf_wrong"}])
@pytest.mark.parametrize("path", ["/devices", "/backup/runs", "/events"])
def test_without_the_right_token_it_is_401(house: House, header: dict[str, str], path: str) -> None:
    answer = httpx.get(house.api.url + "/api/v1" + path, headers=header)

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "unauthorized"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/backup/policies", {"name": "x"}, "schedule"),
        ("/backup/policies", {"name": "x", "schedule": "every day"}, "schedule"),
        (
            "/backup/policies",
            {"name": "x", "schedule": "0 2 * * *", "keep_daily": -1},
            "keep_daily",
        ),
        (
            "/backup/policies",
            {"name": "x", "schedule": "0 2 * * *", "timezone": "Mars/Base"},
            "timezone",
        ),
        ("/backup/policies", {"name": "x", "schedule": "0 2 * * *", "colour": "red"}, "colour"),
        (
            "/backup/policies",
            {"name": "x", "schedule": "0 2 * * *", "destination_ids": [NOBODY]},
            "destination_ids",
        ),
        ("/apps", {"name": "x", "device_id": "not an id", "paths": ["/x"]}, "device_id"),
        ("/apps", {"name": "x", "device_id": NOBODY, "paths": ["/x"]}, "device_id"),
        ("/apps", {"name": "x", "device_id": NOBODY, "paths": []}, "paths"),
        ("/apps", {"name": "x", "device_id": NOBODY, "paths": ["relative"]}, "paths"),
        ("/backup/configurations", {"app_id": NOBODY}, "app_id"),
        ("/backup/destinations/local", {"name": "x", "path": "/tmp"}, "device_id"),
        ("/backup/destinations/s3", {"name": "x", "endpoint": "nas"}, "bucket"),
    ],
)
def test_a_body_that_does_not_fit_is_400_and_names_the_field(
    house: House, path: str, body: dict[str, Any], field: str
) -> None:
    answer = house.api.http.post(path, json=body)

    assert answer.status_code == 400, answer.text
    assert field in answer.text


@pytest.mark.parametrize("body", ["", "{", "[]", "null", "\x00", '{"name": '])
def test_a_body_that_is_no_json_is_400(house: House, body: str) -> None:
    answer = house.api.http.post(
        "/backup/policies", content=body, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/backup/destinations/{NOBODY}"),
        ("DELETE", f"/backup/destinations/{NOBODY}"),
        ("POST", f"/backup/destinations/{NOBODY}/test"),
        ("GET", f"/backup/policies/{NOBODY}"),
        ("DELETE", f"/backup/policies/{NOBODY}"),
        ("GET", f"/backup/configurations/{NOBODY}"),
        ("POST", f"/backup/configurations/{NOBODY}/backup"),
        ("GET", f"/backup/snapshots/{NOBODY}"),
        ("GET", f"/backup/runs/{NOBODY}"),
        ("POST", f"/backup/runs/{NOBODY}/cancel"),
        ("GET", "/no/such/thing"),
    ],
)
def test_what_is_not_there_is_404(house: House, method: str, path: str) -> None:
    answer = house.api.http.request(method, path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_every_problem_says_what_to_call_it(house: House) -> None:
    problem = house.api.http.get(f"/backup/runs/{NOBODY}").json()

    assert problem["status"] == 404
    assert problem["code"] == "not_found"
    assert NOBODY in problem["detail"]
    assert {"type", "title", "instance"} <= problem.keys()


class TestAddingADestination:
    """What fails says what is wrong, and leaves nothing half made."""

    @pytest.fixture
    def s3(self, s3_server: Any) -> dict[str, Any]:
        s3_server.make_bucket("adding")
        return {
            "name": "never there",
            "endpoint": s3_server.endpoint,
            "bucket": "adding",
            "region": "us-east-1",
            "access_key": s3_server.access_key,
            "secret_key": s3_server.secret_key,
        }

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"endpoint": "http://nowhere.invalid"}, "host_not_found"),
            ({"endpoint": f"http://127.0.0.1:{free_port()}"}, "connection_refused"),
            ({"secret_key": "not the secret"}, "bad_credentials"),
            ({"bucket": "no-such-bucket"}, "no_such_bucket"),
        ],
    )
    def test_to_s3(
        self, house: House, s3_server: Any, s3: dict[str, Any], change: dict[str, str], code: str
    ) -> None:
        answer = house.api.http.post("/backup/destinations/s3", json={**s3, **change})

        assert 400 <= answer.status_code < 500, answer.text
        assert answer.json()["code"] == code
        assert answer.json()["guidance"]
        names = [each["name"] for each in house.api.get("/backup/destinations")["destinations"]]
        assert "never there" not in names
        assert not any(path.is_file() for path in (s3_server.data / "adding").rglob("*"))

    def test_to_a_path_that_is_not_there(self, house: House, tmp_path: Path) -> None:
        body = {"name": "gone", "device_id": house.api.device(), "path": str(tmp_path / "gone")}

        answer = house.api.http.post("/backup/destinations/local", json=body)

        assert 400 <= answer.status_code < 500
        assert answer.json()["code"] == "path_missing"
        assert not (tmp_path / "gone").exists()

    def test_over_a_repository_with_another_password(self, house: House, tmp_path: Path) -> None:
        place = house.api.local("first", tmp_path / "nas")
        before = sorted(Path(place["local_path"]).rglob("*"))
        removed = house.api.http.delete(f"/backup/destinations/{place['id']}?detach=true")
        body = {
            "name": "second",
            "device_id": house.api.device(),
            "path": str(tmp_path / "nas"),
            "repo_password": "a password that is not its own, at all, ever",
        }

        answer = house.api.http.post("/backup/destinations/local", json=body)

        assert removed.is_success
        assert answer.status_code == 409
        assert answer.json()["code"] == "foreign_repository"
        assert sorted(Path(place["local_path"]).rglob("*")) == before

    def test_with_a_name_that_is_taken(self, house: House, protected: Any, tmp_path: Path) -> None:
        body = {
            "name": protected["place"]["name"],
            "device_id": house.api.device(),
            "path": str(tmp_path),
        }

        answer = house.api.http.post("/backup/destinations/local", json=body)

        assert answer.status_code == 409

    def test_the_repository_is_below_the_path(self, protected: Any) -> None:
        assert Path(protected["place"]["local_path"]).name == "homelab-backups"
        assert protected["place"]["repo_initialized"] is True


def test_testing_a_destination_says_whether_it_works(
    house: House, protected: Any, tmp_path: Path
) -> None:
    place = house.api.local("to test", tmp_path / "nas")

    good = house.api.post(f"/backup/destinations/{place['id']}/test")
    (tmp_path / "nas").rename(tmp_path / "unplugged")
    bad = house.api.post(f"/backup/destinations/{place['id']}/test")

    assert good["success"] is True
    assert bad["success"] is False
    assert bad["code"] == "path_missing"
    assert not (tmp_path / "nas").exists()


def test_a_new_app_gets_the_default_policy_by_itself(house: House, tmp_path: Path) -> None:
    app = house.api.app("fresh", tmp_path)

    configuration = house.api.default_configuration(app)
    policy = house.api.get(f"/backup/policies/{configuration['policy_id']}")

    assert policy["name"] == "Default Daily Backups"
    assert policy["is_default"] is True
    assert policy["schedule"] == "0 2 * * *"
    assert (policy["keep_daily"], policy["keep_weekly"], policy["keep_monthly"]) == (7, 4, 6)


def test_a_policy_is_changed_and_deleted(house: House, protected: Any) -> None:
    policy = house.api.policy("short lived", protected["place"], keep_daily=7)

    changed = house.api.patch(f"/backup/policies/{policy['id']}", {"keep_daily": 3})
    in_use = house.api.http.delete(f"/backup/policies/{protected['policy']['id']}")
    deleted = house.api.http.delete(f"/backup/policies/{policy['id']}")

    assert changed["keep_daily"] == 3
    assert changed["schedule"] == policy["schedule"]
    assert in_use.status_code == 409
    assert deleted.is_success
    assert house.api.http.get(f"/backup/policies/{policy['id']}").status_code == 404


def test_a_destination_in_use_is_not_removed_and_its_data_never_is(
    house: House, protected: Any, tmp_path: Path
) -> None:
    place = house.api.local("to remove", tmp_path / "nas")
    house.api.policy("uses it", place)

    refused = house.api.http.delete(f"/backup/destinations/{place['id']}")
    removed = house.api.http.delete(f"/backup/destinations/{place['id']}", params={"detach": True})

    assert refused.status_code == 409
    assert removed.is_success
    assert (Path(place["local_path"]) / "config").exists()


def test_snapshots_come_in_pages(house: House, protected: Any) -> None:
    for _ in range(2):
        house.api.back_up(protected["configuration"])
    query = {"configuration_id": protected["configuration"]["id"], "limit": 2}

    first = house.api.get("/backup/snapshots", **query)
    second = house.api.get("/backup/snapshots", cursor=first["next_cursor"], **query)
    wrong = house.api.http.get("/backup/snapshots", params={"cursor": "nonsense"})

    ids = [each["id"] for each in first["snapshots"] + second["snapshots"]]
    assert len(first["snapshots"]) == 2
    assert len(set(ids)) == len(ids) == 3
    assert second["next_cursor"] is None
    assert wrong.status_code == 400


def test_a_restore_answers_202_with_its_run(house: House, protected: Any, tmp_path: Path) -> None:
    snapshot = house.api.snapshots(app_id=protected["app"]["id"])[0]
    body = {"target_device_id": house.api.device(), "target_path": str(tmp_path / "back")}

    answer = house.api.http.post(f"/backup/snapshots/{snapshot['id']}/restore", json=body)
    run = house.api.outcome(answer.json()["run_id"])

    assert answer.status_code == 202
    assert run["operation"] == "restore"
    assert run["status"] == "success"
    assert run["result"]["restored_path"] == str(tmp_path / "back")


def test_events_are_streamed_and_replayed(house: House, protected: Any) -> None:
    heard: list[dict[str, Any]] = []
    started = threading.Event()

    def follow() -> None:
        with house.api.http.stream("GET", "/events", timeout=60) as stream:
            started.set()
            event: dict[str, Any] = {}
            for line in stream.iter_lines():
                name, _, value = line.partition(": ")
                if name in ("id", "event", "data"):
                    event[name] = value
                elif not line and event:
                    heard.append(event)
                    if event.get("event") == "run.completed":
                        return
                    event = {}

    follower = threading.Thread(target=follow)
    follower.start()
    started.wait(30)
    run = house.api.back_up(protected["configuration"])
    follower.join(60)
    completed = heard[-1]
    snapshot_event = next(each for each in heard if each["event"] == "snapshot.completed")
    replayed = _first_event(house, after=int(completed["id"]) - 1)

    cloud_event = json.loads(completed["data"])
    assert cloud_event["specversion"] == "1.0"
    assert cloud_event["type"] == "run.completed"
    assert cloud_event["data"]["run_id"] == run["id"]
    assert json.loads(snapshot_event["data"])["data"]["run_id"] == run["id"]
    assert "id" not in next(each for each in heard if each["event"] == "run.progress")
    assert replayed == completed


def _first_event(house: House, after: int) -> dict[str, str]:
    event: dict[str, str] = {}
    headers = {"Last-Event-ID": str(after)}
    with house.api.http.stream("GET", "/events", headers=headers, timeout=60) as stream:
        for line in stream.iter_lines():
            name, _, value = line.partition(": ")
            if name in ("id", "event", "data"):
                event[name] = value
            elif not line and "data" in event:
                return event
    raise AssertionError("the stream ended")


def test_health_ready_and_metrics_need_no_token(house: House) -> None:
    wait_until(lambda: httpx.get(house.api.url + "/ready").status_code == 200, what="ready")

    assert httpx.get(house.api.url + "/health").status_code == 200
    assert "holdfast_events_handled_total" in httpx.get(house.api.url + "/metrics").text


def test_the_openapi_document_is_served(house: House) -> None:
    document = httpx.get(house.api.url + "/schema/openapi.json").json()

    assert document["openapi"].startswith("3.1")
    assert "/api/v1/backup/configurations/{configuration_id}/backup" in document["paths"]
