"""A quick key is as good as a slow one to restic."""

import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from holdfast.kernel.secret import Secret
from holdfast.restic import Repository, Restic, errors
from holdfast.restic.commands import config, init, key
from holdfast.restic.keyfile import make_quick
from holdfast.secretbox.restic_key import (
    GuessablePasswordError,
    KeyFileError,
    KeyPasswordError,
    cheap_key,
    is_cheap,
)
from support.key_files import Folder

pytestmark = pytest.mark.restic

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
async def restic(new_restic: Restic) -> Restic:
    """A repository as restic makes it, with a slow key."""
    await init.run(new_restic)
    return new_restic


async def test_the_repository_opens_at_once_and_only_with_its_password(restic: Restic) -> None:
    files = Folder(Path(restic.repository.url))
    before = await config.run(restic)

    quick = await make_quick(restic, files, now=NOW)

    started = time.perf_counter()
    assert await config.run(restic) == before
    took = time.perf_counter() - started
    assert await files.names() == [quick]
    assert is_cheap(await files.read(quick))
    assert took < 0.2  # 0.4 s and more with a slow key; most of the rest is starting a process
    assert await make_quick(restic, files, now=NOW) == quick
    wrong = Repository(url=restic.repository.url, password=Secret("x" * 64))
    with pytest.raises(errors.WrongPasswordError):
        await config.run(Restic(restic.binary, restic.runner, wrong))


async def test_an_attempt_that_stopped_half_way_is_finished_by_the_next(restic: Restic) -> None:
    files = Folder(Path(restic.repository.url))
    (slow,) = await files.names()
    made = cheap_key(await files.read(slow), restic.repository.password, now=NOW)
    await files.write(made.name, made.content)

    assert await make_quick(restic, files, now=NOW) == made.name

    assert await files.names() == [made.name]


async def test_the_keys_of_others_stay(restic: Restic) -> None:
    files = Folder(Path(restic.repository.url))
    other = await key.add(restic, Secret("a person's own"))

    quick = await make_quick(restic, files, now=NOW)

    assert set(await files.names()) == {quick, other}


async def test_a_password_of_a_person_keeps_its_protection(new_restic: Restic) -> None:
    repository = msgspec.structs.replace(new_restic.repository, password=Secret("correct horse"))
    restic = Restic(new_restic.binary, new_restic.runner, repository)
    await init.run(restic)
    files = Folder(Path(repository.url))

    with pytest.raises(GuessablePasswordError):
        await make_quick(restic, files, now=NOW)

    assert len(await files.names()) == 1


async def test_a_wrong_password_and_a_hostile_file_are_refused(restic: Restic) -> None:
    files = Folder(Path(restic.repository.url))
    (name,) = await files.names()
    content = await files.read(name)
    greedy = content.replace(b'"N":32768', b'"N":1073741824')

    with pytest.raises(KeyPasswordError):
        cheap_key(content, Secret("y" * 64), now=NOW)
    assert greedy != content
    with pytest.raises(KeyFileError):
        cheap_key(greedy, restic.repository.password, now=NOW)
    with pytest.raises(KeyFileError):
        cheap_key(b"{}", restic.repository.password, now=NOW)
