"""The very image of which a container was made: a name may mean another one by now."""

import re
from urllib.parse import quote

import msgspec

from holdfast.devices.engine import Engine as Api
from holdfast.executor.apps.definitions import Definition
from holdfast.executor.attempt import Attempt
from holdfast.executor.consistency.commands import ended
from holdfast.executor.consistency.engine import Engine
from holdfast.kernel.errors import HoldfastError

PULL_SECONDS = 3600.0
"""A large image over a slow line."""

NAMED = re.compile(r"(?P<repository>[a-z0-9][^@]*?)(:(?P<tag>[\w.-]+))?")
"""A name that an image can be given: neither an id nor with a digest."""

ID = re.compile(r"(sha256:)?[0-9a-f]{12,64}")


class ImageNotPulledError(HoldfastError):
    """An image could not be had."""

    code = "image_not_pulled"
    guidance = "Nothing was changed. The detail has the engine's words; pull or load it yourself."
    retryable = True


class Image(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """One that the engine has."""

    id: str
    repo_digests: tuple[str, ...] | None = None


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Of which image a container is made."""

    id: str = ""
    """The engine's; empty: it does not have it."""
    pulls: tuple[str, ...] = ()
    """By what it can be had: the first that works."""
    warning: str = ""


async def choose(
    api: Api, definition: Definition, registry_names: tuple[str, ...] | None
) -> Choice | None:
    """The image of the backup, if it is there or can be had; else what its name means now.

    None: there is neither.  *registry_names*: see ``Kept``.  Raises EngineRefusedError.
    """
    for each in (definition.image_id, *(registry_names or ())):
        found = await _look(api, each) if each else None
        if found is not None:
            return Choice(id=found.id)
    named = await _look(api, definition.image)
    if named is not None:
        # What its name means is better than nothing, should its registry not have it any more.
        return Choice(
            id="" if registry_names else named.id,
            pulls=registry_names or (),
            warning=_warning(definition, named),
        )
    if registry_names == () or ID.fullmatch(definition.image):
        return None
    return Choice(pulls=(*(registry_names or ()), definition.image))


async def obtain(
    attempt: Attempt, engine: Engine, api: Api, definition: Definition, choice: Choice
) -> tuple[Definition, str]:
    """Pull the image if it is not there, and see that it has a name.

    How the container asks for it, and what somebody should know of it, or nothing.  Raises
    ImageNotPulledError and EngineRefusedError.
    """
    id, warning = choice.id, choice.warning if choice.id else ""
    if not id:
        id, warning = await _pulled(attempt, engine, api, definition, choice)
    named = await _look(api, definition.image)
    name = name_for(definition.image, id, "" if named is None else named.id)
    if name not in (id, "" if named is None else definition.image):
        await _engine(attempt, engine, "tag", id, name)
    config = {**definition.config, "Image": name}
    return msgspec.structs.replace(definition, config=config), warning


def name_for(asked: str, id: str, named: str) -> str:
    """The name by which a container asks for the image *id*.  Pure.

    *named*: which image *asked* means here; empty: none.  A name that means another one by
    now is left to whoever moved it: the image gets one of its own beside it.
    """
    if named == id:
        return asked
    parts = None if ID.fullmatch(asked) else NAMED.fullmatch(asked)
    if parts is None:
        return id
    if not named:
        return asked
    return f"{parts['repository']}:holdfast-{plain(id)[:12]}"


def plain(id: str) -> str:
    """Docker says ``sha256:`` before an id, Podman does not."""
    return id.removeprefix("sha256:")


async def _look(api: Api, reference: str) -> Image | None:
    told = await api.get(f"/images/{quote(reference)}/json")
    return None if told is None else msgspec.json.decode(told, type=Image)


async def _pulled(
    attempt: Attempt, engine: Engine, api: Api, definition: Definition, choice: Choice
) -> tuple[str, str]:
    """Its id, and a warning or nothing."""
    said = []
    for reference in choice.pulls:
        try:
            await _engine(attempt, engine, "pull", "--quiet", reference)
        except ImageNotPulledError as error:
            said.append(f"{reference}: {error.detail}")
            continue
        found = await _look(api, reference)
        if found is not None:
            is_by_name = reference == definition.image
            return found.id, _warning(definition, found) if is_by_name else ""
    named = await _look(api, definition.image)
    if named is not None:
        return named.id, _warning(definition, named)
    raise ImageNotPulledError(
        f"The image {definition.image} could not be pulled.", detail="\n".join(said)
    )


async def _engine(attempt: Attempt, engine: Engine, *words: str) -> None:
    end = await ended(attempt, (engine.command, *words), seconds=PULL_SECONDS)
    if not end.ok:
        raise ImageNotPulledError(detail=end.output)


def _warning(definition: Definition, image: Image) -> str:
    if not definition.image_id or plain(definition.image_id) == plain(image.id):
        return ""
    return (
        f"{definition.plain_name} is made of what {definition.image} is now: the very image of the "
        "backup is not to be had any more."
    )
