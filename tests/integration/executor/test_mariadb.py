"""The lines of shell by which MariaDB is dumped, loaded, and asked: on real servers of its own."""

import getpass
import os
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from holdfast.executor.consistency.rules import MYSQL
from support.executor import until
from support.servers import free_port

pytestmark = pytest.mark.mariadb

PASSWORD = "s3cret w'ord"
USER = "root" if os.geteuid() == 0 else getpass.getuser()


class Server:
    """One, as in a container: its variables are the image's, and its tools find it unasked."""

    def __init__(self, root: Path, port: int) -> None:
        self.root, self.port = root, port
        root.mkdir()
        # A socket's path must be short.
        self.socket = Path(f"/tmp/hf-maria-{port}")
        (root / ".my.cnf").write_text(f"[client]\nsocket={self.socket}\nport={port}\n")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(root),
            "MARIADB_ROOT_PASSWORD": PASSWORD,
        }
        made = subprocess.run(
            [
                *("mariadb-install-db", "--no-defaults", f"--datadir={root / 'data'}"),
                *("--auth-root-authentication-method=normal", f"--user={USER}"),
            ],
            check=False,
            capture_output=True,
            text=True,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        with (root / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *("mariadbd", "--no-defaults", f"--user={USER}", "--bind-address=127.0.0.1"),
                    *(f"--datadir={root / 'data'}", f"--socket={self.socket}", f"--port={port}"),
                    f"--pid-file={root / 'pid'}",
                ],
                stdout=log,
                stderr=log,
            )

    def sh(
        self, line: str, *words: str, stdin: bytes = b"", **environment: str
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["sh", "-c", line, "line", *words],
            env={**self.environment, **environment},
            input=stdin,
            capture_output=True,
            check=False,
        )

    def is_ready(self) -> bool:
        return self.sh(MYSQL.is_ready).returncode == 0

    def ask(self, query: str, database: str = "", **environment: str) -> str:
        asked = self.sh(MYSQL.ask, query, database, **environment)
        assert asked.returncode == 0, asked.stderr
        return asked.stdout.decode().strip()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.socket.unlink(missing_ok=True)


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[tuple[Server, Server]]:
    """With a password; the second has nothing else."""
    if shutil.which("mariadbd") is None:
        pytest.skip("there is no MariaDB here: apt-get install mariadb-server")
    one, two = Server(tmp_path / "one", free_port()), Server(tmp_path / "two", free_port())
    try:
        for each in (one, two):
            await until(each.is_ready, what="it answers")
            words = ("mariadb", "-u", "root", "-e")
            change = "alter user root@localhost identified by 's3cret w''ord'"
            subprocess.run((*words, change), env=each.environment, check=True)
        yield one, two
    finally:
        one.stop()
        two.stop()


async def test_what_was_committed_before_the_dump_is_in_another_server_after_it(
    servers: tuple[Server, Server],
) -> None:
    one, two = servers
    one.ask(
        "create database shop; create table shop.orders (id int auto_increment primary key, what "
        "text) engine=innodb; create user shop@localhost identified by 'x'; "
        "grant all on shop.* to shop@localhost; create procedure shop.p() select 7; "
        "create view shop.v as select count(*) from shop.orders"
    )
    written, done = [0], threading.Event()

    def write() -> None:
        while not done.is_set():
            one.ask("insert into shop.orders (what) values ('a cat, ein Kätzchen')")
            written[0] += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        await until(lambda: written[0] > 20, what="something was written")
        committed = written[0]
        dump = one.sh(MYSQL.command)
    finally:
        done.set()
        writer.join()
    assert dump.returncode == 0, dump.stderr

    loaded = two.sh(MYSQL.load, stdin=dump.stdout)

    assert loaded.returncode == 0, loaded.stderr
    assert int(two.ask("select count(*) from orders", "shop")) >= committed
    assert int(two.ask("select count(*) from orders", MARIADB_DATABASE="shop")) >= committed
    assert two.ask("select distinct what from shop.orders") == "a cat, ein Kätzchen"
    # The app itself, before the server was started anew.
    entered = subprocess.run(
        ["mariadb", "-u", "shop", "-px", "-N", "-e", "select 'in'", "shop"],
        env=two.environment,
        capture_output=True,
        check=False,
    )
    assert entered.stdout == b"in\n", entered.stderr
    assert two.ask("call shop.p()") == "7"
    assert int(two.ask("select * from shop.v")) >= committed


async def test_what_is_not_taken_is_told(servers: tuple[Server, Server]) -> None:
    one, _ = servers
    bad = one.sh(MYSQL.load, stdin=b"create database half;\nthis is no SQL;\n")
    assert bad.returncode != 0
    assert b"syntax" in bad.stderr
    locked_out = one.sh(MYSQL.command, MARIADB_ROOT_PASSWORD="wrong")
    assert locked_out.returncode != 0
    assert b"Access denied" in locked_out.stderr
