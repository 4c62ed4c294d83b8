"""What 'holdfast doctor' says of a machine, and its exit code."""

import ssl
from pathlib import Path

import pytest

from holdfast.cli import doctor
from holdfast.cli.doctor import Check, State
from holdfast.embedded.process import ServerStartError


def program(path: Path, says: str) -> Path:
    """A program that prints *says*, whatever it is asked."""
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def test_python_older_than_3_11_is_missing() -> None:
    assert doctor.check_python((3, 10, 14)).state is State.MISSING
    assert doctor.check_python((3, 11, 2)) == Check(name="Python", state=State.OK, found="3.11.2")


@pytest.mark.parametrize(
    ("says", "state"),
    [
        ("restic 0.19.1 compiled with go1.26.4 on linux/amd64", State.OK),
        ("restic 0.18.0 compiled with go1.24.4 on linux/amd64", State.OK),
        ("restic 0.18.1-dev (compiled manually)", State.OK),
        ("restic 1.0.0 compiled with go1.30", State.OK),
        ("restic 0.14.0 compiled with go1.19.8", State.MISSING),
        ("BusyBox v1.36", State.MISSING),
    ],
)
def test_restic_must_be_0_18_or_newer(tmp_path: Path, says: str, state: State) -> None:
    check = doctor.check_restic(program(tmp_path / "restic", says))

    assert check.state is state
    assert bool(check.mend) is (state is State.MISSING)


def test_a_restic_that_is_not_there_is_missing_and_the_mend_is_named(tmp_path: Path) -> None:
    check = doctor.check_restic(tmp_path / "restic")

    assert check.state is State.MISSING
    assert "just setup" in check.mend


def test_a_server_is_not_looked_for_when_the_settings_name_an_outside_one() -> None:
    def find() -> Path:
        raise AssertionError("nobody asks for it")

    assert doctor.check_server("NATS server", find, own=False).state is State.OK


def test_a_server_of_our_own_that_is_missing_is_mended_by_setup() -> None:
    def find() -> Path:
        raise ServerStartError("There is no nats-server.")

    assert doctor.check_server("NATS server", find, own=True) == Check(
        name="NATS server",
        state=State.MISSING,
        found="There is no nats-server.",
        mend="./just setup",
    )


def test_a_server_that_does_not_run_here_is_missing(tmp_path: Path) -> None:
    binary = tmp_path / "postgres"
    binary.write_bytes(b"\x7fELF of another machine")
    binary.chmod(0o755)

    assert doctor.check_server("Postgres", lambda: binary, own=True).state is State.MISSING


@pytest.mark.parametrize(("needed", "state"), [(True, State.MISSING), (False, State.WARNING)])
def test_a_program_that_is_not_on_path_names_its_package(needed: bool, state: State) -> None:
    check = doctor.check_program("no-such-program", "openssh-client", "SFTP", needed=needed)

    assert check.state is state
    assert check.mend == "apt-get install openssh-client"


def test_no_certificates_is_a_warning(tmp_path: Path) -> None:
    nowhere = ssl.DefaultVerifyPaths(
        cafile=str(tmp_path / "none.pem"),
        capath=str(tmp_path),
        openssl_cafile_env="",
        openssl_cafile="",
        openssl_capath_env="",
        openssl_capath="",
    )

    assert doctor.check_certificates(nowhere).state is State.WARNING


def test_a_data_directory_that_is_yet_to_be_made_is_fine(tmp_path: Path) -> None:
    assert doctor.check_data(tmp_path / "a" / "b").state is State.OK
    assert not (tmp_path / "a").exists()


def test_a_data_directory_below_a_file_is_missing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert doctor.check_data(tmp_path / "file" / "data").state is State.MISSING


def test_a_gateway_that_does_not_run_is_only_a_warning() -> None:
    assert doctor.check_gateway("").state is State.WARNING
    assert doctor.check_gateway("http://127.0.0.1:9").state is State.WARNING


def test_the_exit_code_is_1_only_when_something_needed_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environ = {
        "HOLDFAST_DATA": str(tmp_path),
        "HOLDFAST_NATS_URL": "nats://elsewhere",
        "HOLDFAST_POSTGRES_DSN": "postgresql://elsewhere",
        "HOLDFAST_RESTIC": str(program(tmp_path / "restic", "restic 0.19.1 compiled with go")),
    }

    assert doctor.run(environ) == 0
    assert "holdfast up" in capsys.readouterr().out
    assert doctor.run({**environ, "HOLDFAST_RESTIC": str(tmp_path / "none")}) == 1
    assert "just setup" in capsys.readouterr().out
