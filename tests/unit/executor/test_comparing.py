"""What a drill compares, and which files it takes as a sample."""

from datetime import UTC, datetime
from typing import Any

import pytest

from holdfast.executor.drills.comparing import MOST_TOLD, Comparison, listed, seen_in
from holdfast.executor.drills.sampling import MOST_FILES, Sample
from holdfast.restic.commands.ls import Node

NOON = datetime(2026, 5, 1, 12, 0, 0, 900_000, tzinfo=UTC)
SECONDS = int(NOON.timestamp())


def node(path: str = "/srv/a", **fields: Any) -> Node:
    return Node(
        **{
            "name": path.rpartition("/")[2],
            "path": path,
            "type": "file",
            "size": 5,
            "mode": 0o640,
            "uid": 1,
            "gid": 2,
            "mtime": NOON,
            **fields,
        }
    )


async def compared(nodes: list[Node], *lines: str | bytes, **options: Any) -> Comparison:
    comparison = Comparison(**{"owners": True, **options})
    for each in nodes:
        comparison.expect(each)

    async def told() -> Any:
        for line in lines:
            yield line if isinstance(line, bytes) else line.encode()

    async for seen in seen_in(told(), "word"):
        comparison.see(seen)
    return comparison


def line(path: str = "./srv/a", bits: int = 0o100640, rest: str = f"5 1 2 {SECONDS}") -> str:
    return f"word {bits:x} {rest} {path}"


async def test_the_same_is_the_same() -> None:
    found = await compared([node()], line())
    assert found.is_same
    assert (found.files, found.bytes, found.count) == (1, 5, 0)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (line(rest=f"6 1 2 {SECONDS}"), "of 6 bytes"),
        (line(bits=0o100600), "mode 600"),
        (line(bits=0o104640), "mode 4640"),
        (line(rest=f"5 0 2 {SECONDS}"), "owner 0:2"),
        (line(rest=f"5 1 2 {SECONDS + 1}"), f"time {SECONDS + 1}"),
        (line(bits=0o040640), "it is a dir"),
        (line(bits=0o120777), "it is a symlink"),
        (line("./srv/b"), "/srv/a: it is not there"),
    ],
)
async def test_each_thing_that_can_differ_is_seen_and_told(told: str, words: str) -> None:
    found = await compared([node()], told)
    assert not found.is_same
    assert words in "\n".join(found.differences([node()]))


async def test_owners_count_only_where_files_can_be_given_away() -> None:
    found = await compared([node()], line(rest=f"5 0 0 {SECONDS}"), owners=False)
    assert found.is_same


async def test_of_a_sample_folders_do_not_count() -> None:
    nodes = [node(), node("/srv", type="dir")]
    assert (await compared(nodes, line(), line("./other", 0o040700), only_files=True)).is_same


async def test_names_may_have_line_breaks_and_bytes_that_are_no_text() -> None:
    nodes = [node("/srv/line\n5 1 2"), node("/srv/caf\ufffd\ufffd!")]
    lines = line("./srv/line"), "5 1 2", line("./srv/caf").encode() + b"\xe2\x82!"
    assert (await compared(nodes, *lines)).is_same


def test_what_restic_never_restores_is_not_asked_for() -> None:
    assert listed(node(type="socket"), owners=True) is None


def test_special_bits_are_those_of_go() -> None:
    found = listed(node(mode=(1 << 23) | (1 << 20) | 0o755), owners=True)
    assert found is not None
    assert found.mode == 0o5755


async def test_very_many_differences_are_counted_and_a_few_told() -> None:
    nodes = [node(f"/srv/{number}") for number in range(500)]
    found = await compared(nodes)
    assert found.count == 500
    assert len(found.differences(nodes)) == MOST_TOLD


def test_a_sample_is_within_its_bounds_and_another_one_each_time() -> None:
    nodes = [node(f"/srv/{number}", size=number % 100) for number in range(10_000)]
    picked = []
    for lot in ("first", "second"):
        sample = Sample(5_000, lot)
        for each in nodes:
            sample.offer(each)
        assert 0 < sum(each.size for each in sample.nodes) <= 5_000
        assert [each.path for each in sample.nodes] == sorted(each.path for each in sample.nodes)
        picked.append({each.path for each in sample.nodes})
    assert picked[0] != picked[1]


def test_a_sample_has_no_more_files_than_fit_into_arguments() -> None:
    sample = Sample(10**9, "lot")
    for number in range(MOST_FILES + 500):
        sample.offer(node(f"/srv/{number}", size=1))
    assert len(sample.nodes) == MOST_FILES
    small = Sample(3, "lot")
    small.offer(node(size=4))
    small.offer(node("/srv/\ufffd", size=1))
    small.offer(node("/srv", type="dir"))
    assert small.nodes == ()
