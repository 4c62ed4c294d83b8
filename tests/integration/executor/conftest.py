"""A bench with a repository or two, on a real restic."""

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from holdfast.devices.local import LocalRunner
from holdfast.executor.attempt import notes_in
from support.dockerd import Dockerd
from support.executor import Bench, Place, local_place, s3_place, sftp_place
from support.hosts import Pi
from support.sshd import Sshd
from support.trees import make_tree


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "cache")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "data")


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A repository to copy: making one takes seconds, for restic tries how slow a key may be."""
    folder = tmp_path_factory.mktemp("made")
    place = local_place(folder)
    asyncio.run(Bench(folder / "cache").initialise(place))
    return place


@pytest.fixture
def nas(made_once: Place, bench: Bench, tmp_path: Path) -> Place:
    """A local repository that is ready."""
    place = local_place(tmp_path / "nas", password=made_once.secrets.repo_password)
    shutil.copytree(made_once.address.local_path, place.address.local_path)
    bench.knows(place)
    return place


@pytest.fixture(
    params=[
        "local",
        pytest.param("s3", marks=pytest.mark.s3),
        pytest.param("sftp", marks=pytest.mark.sftp),
    ]
)
def new_place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place of each kind, without a repository yet."""
    if request.param == "local":
        (tmp_path / "nas").mkdir()
        return local_place(tmp_path / "nas")
    if request.param == "sftp":
        (tmp_path / "nas").mkdir()
        return sftp_place(request.getfixturevalue("sshd"), tmp_path / "nas")
    server: Any = request.getfixturevalue("s3_server")
    return s3_place(server, f"bucket-{uuid4().hex[:12]}")


@pytest.fixture
async def place(new_place: Place, bench: Bench) -> Place:
    """A repository that is ready, once of each kind."""
    return await bench.initialise(new_place)


@pytest.fixture
def docker_bench(tmp_path: Path, docker: Dockerd) -> Bench:
    """Its ``docker`` is that of the tests' engine."""
    cache = tmp_path / "cache"
    environ = {**os.environ, "PATH": f"{docker.bin}:{os.environ['PATH']}"}
    return Bench(cache, runner=LocalRunner(environ, notes=notes_in(cache)), app_lease_seconds=30)


@pytest.fixture(params=["here", pytest.param("device", marks=pytest.mark.sftp)])
def docker_device(
    request: pytest.FixtureRequest, docker_bench: Bench, docker: Dockerd, tmp_path: Path
) -> dict[str, Any]:
    """The field of a backup that says where the app is."""
    if request.param == "here":
        return {}
    own: Sshd = request.getfixturevalue("own_sshd")
    pi = Pi(own, tmp_path / "pi", path=f"{docker.bin}:{os.environ['PATH']}").known_to(docker_bench)
    return {"device": pi.address}


@pytest.fixture
def engine_environ(docker: Dockerd) -> dict[str, str]:
    """The engine's command and its socket are those of the tests' own."""
    return {
        "PATH": f"{docker.bin}:{os.environ['PATH']}",
        "DOCKER_HOST": f"unix://{docker.run}/sock",
    }


@pytest.fixture
def engine_bench(tmp_path: Path, engine_environ: dict[str, str]) -> Bench:
    """It reaches that engine by its socket, too."""
    cache = tmp_path / "cache"
    environ = {**os.environ, **engine_environ}
    return Bench(cache, runner=LocalRunner(environ, notes=notes_in(cache)))


@pytest.fixture(params=["here", pytest.param("device", marks=pytest.mark.sftp)])
def engine_device(
    request: pytest.FixtureRequest,
    engine_bench: Bench,
    engine_environ: dict[str, str],
    tmp_path: Path,
) -> dict[str, Any]:
    """The field of work that says where the app is, for that bench."""
    if request.param == "here":
        return {}
    own: Sshd = request.getfixturevalue("own_sshd")
    pi = Pi(own, tmp_path / "pi").known_to(engine_bench)
    own.stop()
    own.environment += tuple(f"{name}={value}" for name, value in engine_environ.items())
    own.start()
    return {"device": pi.address}
