"""The recovery kit: with it and restic alone, on a bare machine, the data comes back."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest

from holdfast.events.queries import MakeRecoveryKit
from holdfast.gateway.kit.content import Kit, SealedKitFile
from holdfast.kernel.secret import Secret
from holdfast.secretbox.errors import WrongPassphraseError
from holdfast.secretbox.passphrase import open_text
from support.browser import Browser, opened_browser
from support.executor import Bench, Place, backup_of, local_place, s3_place, sftp_place
from support.gateway import GatewayHouse
from support.kit import Page, kit_answer, typed
from support.trees import differences, make_tree, manifest

pytestmark = pytest.mark.restic

KIT = "/api/v1/backup/recovery-kit"
PASSPHRASE = 'Größe 42: <correct> horse & "staple"'


@pytest.fixture
def house() -> GatewayHouse:
    return GatewayHouse()


@pytest.fixture(
    params=[
        "local",
        pytest.param("s3", marks=pytest.mark.s3),
        pytest.param("sftp", marks=pytest.mark.sftp),
    ]
)
def new_place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "local":
        parent = tmp_path / "the nas's disk"  # a space and a quote
        parent.mkdir()
        return local_place(parent)
    if request.param == "sftp":
        (tmp_path / "nas").mkdir()
        return sftp_place(request.getfixturevalue("sshd"), tmp_path / "nas")
    server: Any = request.getfixturevalue("s3_server")
    return s3_place(server, f"kit-{uuid4().hex[:8]}")


@pytest.fixture
async def place(new_place: Place, tmp_path: Path) -> Place:
    """A repository of each kind with a backup in it."""
    bench = Bench(tmp_path / "cache")
    made = await bench.initialise(new_place)
    run = await bench.outcome(backup_of([make_tree(tmp_path / "data")], made))
    assert run.failure is None
    return made


async def asked(house: GatewayHouse, places: list[Place], **body: str) -> httpx.Response:
    house.bus.answers[MakeRecoveryKit] = kit_answer(*places)
    async with house.client() as client:
        answer = await (client.post(KIT, json=body) if body else client.get(KIT))
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer


async def test_what_the_page_says_brings_the_data_back(
    place: Place, house: GatewayHouse, tmp_path: Path, restic_path: Path
) -> None:
    page = Page((await asked(house, [place])).text)

    assert page.loads == []
    (boxes,) = page.sections
    _, listed, checked, _ = typed(boxes, tmp_path / "bare", restic_path)

    assert "1 snapshots" in listed
    assert "no errors were found" in checked
    restored = tmp_path / "bare" / "restored" / str(tmp_path / "data").lstrip("/")
    assert not differences(manifest(tmp_path / "data"), manifest(restored))


async def test_whatever_a_password_is_made_of_it_is_typed_as_it_is(
    house: GatewayHouse, tmp_path: Path, restic_path: Path
) -> None:
    password = ' it\'s $HOME & `id` \\ <b> "quoted"  twice ! '
    place = local_place(Path("/mnt/a b/$(c)"), "<odd>", password=password)

    (boxes,) = Page((await asked(house, [place])).text).sections
    says = 'printf "%s|%s|" "$RESTIC_REPOSITORY" "$RESTIC_PASSWORD"'

    said = typed([boxes[0], says], tmp_path / "bare", restic_path)[-1]
    assert said == f"/mnt/a b/$(c)/homelab-backups|{password.strip()}|"


async def test_the_file_says_the_same(
    place: Place, house: GatewayHouse, tmp_path: Path, restic_path: Path
) -> None:
    answer = await asked(house, [place], format="json")

    (entry,) = msgspec.json.decode(answer.content, type=Kit).destinations
    page = Page((await asked(house, [place])).text)
    assert [*page.sections[0][1:]] == list(entry.commands)
    assert page.sections[0][0] == "\n".join(entry.exports)
    assert entry.password == place.secrets.repo_password


async def test_under_a_passphrase_nothing_of_it_can_be_read(house: GatewayHouse) -> None:
    place = local_place(Path("/mnt/nas"), "attic")
    sealed = await asked(house, [place], format="json", passphrase=PASSPHRASE)
    locked = await asked(house, [place], passphrase=PASSPHRASE)

    for answer in (sealed, locked):
        assert place.secrets.repo_password not in answer.text
        assert "attic" not in answer.text
    file = msgspec.json.decode(sealed.content, type=SealedKitFile)
    assert file.sealed.iterations >= 600_000
    opened = msgspec.json.decode(open_text(file.sealed, Secret(PASSPHRASE)), type=Kit)
    assert opened.destinations[0].password == place.secrets.repo_password
    with pytest.raises(WrongPassphraseError):
        open_text(file.sealed, Secret(PASSPHRASE + " "))


@pytest.fixture
async def browser() -> Any:
    async with opened_browser() as opened:
        yield opened


async def test_a_browser_alone_opens_the_page(
    house: GatewayHouse, browser: Browser, tmp_path: Path
) -> None:
    place = local_place(Path("/mnt/<b>nas</b>"), "attic & cellar")
    (tmp_path / "kit.html").write_bytes(
        (await asked(house, [place], passphrase=PASSPHRASE)).content
    )
    await browser.open((tmp_path / "kit.html").as_uri())

    await browser.type("#passphrase", "something else")
    await browser.press("#unlock button")
    await browser.until_text("#told", "does not open this page")
    await browser.type("#passphrase", PASSPHRASE)
    await browser.press("#unlock button")
    await browser.until_text("h2", "attic & cellar")

    shown = Page(await browser.html())
    assert place.secrets.repo_password in shown.sections[0][0]
    assert "/mnt/<b>nas</b>/homelab-backups" in shown.sections[0][0]
    assert browser.complaints == []
    assert browser.requests == [(tmp_path / "kit.html").as_uri()]


async def test_a_page_without_a_passphrase_reads_the_same_in_a_browser(
    house: GatewayHouse, browser: Browser, tmp_path: Path
) -> None:
    place = local_place(Path("/mnt/nas"), "attic")
    page = (await asked(house, [place])).content
    (tmp_path / "kit.html").write_bytes(page)

    await browser.open((tmp_path / "kit.html").as_uri())

    assert Page(await browser.html()).sections == Page(page.decode()).sections
    assert browser.complaints == []
