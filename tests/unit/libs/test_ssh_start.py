"""The script that starts programs on a device, in whatever shell is the device's ``sh``."""

import shutil
import subprocess
from pathlib import Path

import pytest

from holdfast.devices.ssh import START

SHELLS = (("dash",), ("bash",), ("bash", "--posix"), ("busybox", "sh"), ("ksh93",), ("zsh",))


@pytest.fixture(params=SHELLS, ids=" ".join)
def shell(request: pytest.FixtureRequest) -> list[str]:
    words: list[str] = list(request.param)
    if shutil.which(words[0]) is None:
        pytest.skip(f"there is no {words[0]} here")
    return words


def started(
    shell: list[str], *words: str, lines: bytes, folder: str = "", secrets: tuple[str, ...] = ()
) -> tuple[int, bytes, bytes]:
    """Exit code, output, errors; the line stays open until the program has ended."""
    arguments = ("holdfast", "60", "1", folder, str(len(secrets)), *secrets, *words)
    with subprocess.Popen(
        [*shell, "-c", START, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(lines)
        process.stdin.flush()
        output, errors = process.stdout.read(), process.stderr.read()
    return process.returncode, output, errors


def test_secrets_input_variables_and_the_exit_code(shell: list[str], tmp_path: Path) -> None:
    script = 'cat "$A" "$A" "$B"; cat; echo "$C"; pwd; exit 7'
    code, output, errors = started(
        shell,
        *("C=a b", "sh", "-c", script),
        lines=b"one\\0012\ntwo%%\\0134\nin\\0000put\\0012\n",
        folder=str(tmp_path),
        secrets=("A", "B"),
    )

    assert output == b"one\none\ntwo%%\\in\0put\na b\n" + bytes(tmp_path) + b"\n"
    assert errors.startswith(b"holdfast ")
    assert errors.count(b"\n") == 1
    assert code == 7


def test_what_is_missing_is_told(shell: list[str], tmp_path: Path) -> None:
    gone = started(shell, "no-such-program", lines=b"\n")
    nowhere = started(shell, "true", lines=b"\n", folder=str(tmp_path / "gone"))

    assert (gone[0], gone[2]) == (127, b"holdfast missing\n")
    assert nowhere[0] == 126


def test_a_line_that_is_cut_ends_the_program(shell: list[str]) -> None:
    ended = subprocess.run(
        [*shell, "-c", START, "holdfast", "60", "1", "", "0", "sleep", "1000"],
        input=b"\n",
        capture_output=True,
        check=False,
        timeout=30,
    )

    assert ended.returncode == 143
