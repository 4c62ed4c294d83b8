"""Fixtures that several rings share.  Helpers live in ``support``, not here."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.restic.binary import find_restic
from support.dockerd import Dockerd, missing_docker
from support.mariadb_image import import_mariadb, missing_mariadb
from support.podman import Podman, missing_podman
from support.postgres_image import import_postgres, missing_postgres
from support.radosgw import INSTALL, Radosgw, missing_programs
from support.redis_image import import_redis, missing_redis
from support.servers import NatsServer, PostgresServer, RcloneS3
from support.sshd import Sshd, sshd_binary


@pytest.fixture
def nats_url(tmp_path: Path) -> Iterator[str]:
    """A NATS server of the test's own: it starts in a few hundredths of a second."""
    server = NatsServer(tmp_path / "nats")
    yield server.start()
    server.stop()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    server = PostgresServer(tmp_path_factory.mktemp("postgres"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def postgres_dsn(postgres_server: PostgresServer) -> str:
    """A fresh database."""
    return postgres_server.new_database()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RcloneS3]:
    """An S3 server that checks its keys; its objects are files."""
    server = RcloneS3(tmp_path_factory.mktemp("s3"))
    yield server.start()
    server.stop()


@pytest.fixture(scope="session")
def tls_s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RcloneS3]:
    """The same with a certificate that only its owner trusts."""
    folder = tmp_path_factory.mktemp("tls-s3")
    server = RcloneS3(folder / "data", tls=folder / "tls")
    yield server.start()
    server.stop()


def need_sshd() -> None:
    """CI installs it; somebody who is not root may have to go without."""
    if sshd_binary() is None:
        pytest.skip("there is no sshd here: apt-get install openssh-server")


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """An OpenSSH server that lets the tests' user in by a key.  Not to be harmed."""
    need_sshd()
    server = Sshd(tmp_path_factory.mktemp("sshd"))
    yield server.start()
    server.stop()


@pytest.fixture
def own_sshd(tmp_path: Path) -> Iterator[Sshd]:
    """One that the test may stop, freeze, and set up anew; not started yet."""
    need_sshd()
    server = Sshd(tmp_path / "sshd")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def radosgw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Radosgw]:
    """A real Ceph gateway: object lock, bucket policies, users.  Where CI is root it must run."""
    missing = missing_programs()
    if missing:
        reason = f"no Ceph here ({', '.join(missing)} missing): {INSTALL}"
        if os.environ.get("CI") == "true" and os.geteuid() == 0:
            pytest.fail(reason)
        pytest.skip(reason)
    server = Radosgw(tmp_path_factory.mktemp("radosgw"))
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def restic_path() -> Path:
    """The restic that Holdfast itself would use."""
    return find_restic()


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dockerd]:
    """A Docker engine of the tests' own, without a network."""
    missing = missing_docker()
    if missing:
        pytest.skip(f"a Docker engine needs {', '.join(missing)}")
    engine = Dockerd(tmp_path_factory.mktemp("docker"))
    yield engine.start()
    engine.stop()


@pytest.fixture(scope="session")
def postgres_image(docker: Dockerd, tmp_path_factory: pytest.TempPathFactory) -> str:
    """PostgreSQL from this machine's own, in an image of that name."""
    if missing_postgres():
        pytest.skip("there is no PostgreSQL here: apt-get install postgresql")
    return import_postgres(docker, tmp_path_factory.mktemp("pg") / "root")


@pytest.fixture(scope="session")
def mariadb_image(docker: Dockerd, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same with MariaDB."""
    if missing_mariadb():
        pytest.skip("there is no MariaDB here: apt-get install mariadb-server")
    return import_mariadb(docker, tmp_path_factory.mktemp("mariadb") / "root")


@pytest.fixture(scope="session")
def redis_image(docker: Dockerd, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same with Redis."""
    if missing_redis():
        pytest.skip("there is no Redis here: apt-get install redis-server")
    return import_redis(docker, tmp_path_factory.mktemp("redis") / "root")


@pytest.fixture
def engine(docker: Dockerd) -> Iterator[Dockerd]:
    """The same; what a test starts there is gone after it."""
    yield docker
    docker.remove_all()


@pytest.fixture(scope="session")
def podman() -> Iterator[Podman]:
    """A Podman of the tests' own, without a network."""
    missing = missing_podman()
    if missing:
        pytest.skip(f"Podman needs {', '.join(missing)}")
    engine = Podman()
    yield engine.start()
    engine.stop()
