"""Which of an app's containers are to be made: those that are gone, and those that differ."""

from collections.abc import Mapping, Sequence

import msgspec

from holdfast.devices.engine import Engine as Api
from holdfast.events.work import AppRestoreRequested
from holdfast.executor.apps import remaking
from holdfast.executor.apps.definitions import Definition, Kept, as_now
from holdfast.executor.apps.differing import changed
from holdfast.executor.apps.images import Choice, choose, obtain
from holdfast.executor.apps.steps import Steps
from holdfast.executor.attempt import Attempt
from holdfast.executor.consistency.engine import AppContainer, Engine

HERE = Choice(id="here")


class Making(msgspec.Struct, frozen=True, kw_only=True):
    """The containers that are to be made, as far as it is known how they were made."""

    definitions: tuple[Definition, ...] = ()
    """In the order in which they are started."""
    images: Mapping[str, Choice] = {}
    """By container."""
    replaced: Mapping[str, Definition] = {}
    """Those that are there and differ, as they are now, by name."""
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


async def making_of(
    attempt: Attempt, work: AppRestoreRequested, there: Mapping[str, AppContainer], kept: Kept
) -> Making:
    """Look; nothing is changed.  *there*: the app's containers.

    Raises EngineMissingError and EngineRefusedError.
    """
    if not kept.definitions:
        return Making()
    api = await remaking.api_of(attempt)
    now = await as_now(api, there)
    missing = {each.container for each in work.found.services if each.container not in there}
    differ = changed(kept.definitions, now, made=missing)
    replaced = {name: now[name] for name in differ}
    definitions = tuple(
        kept.definitions[each.container]
        for each in work.found.services
        if each.container in kept.definitions and each.container in {*missing, *replaced}
    )
    images, unknown = await _images(api, definitions, kept)
    # Their ports are theirs until they are stopped.
    free = frozenset(port for each in now.values() for port in each.open_ports)
    in_the_way = await remaking.problems(attempt, api, definitions, kept.networks, free=free)
    return Making(
        definitions=definitions,
        images=images,
        replaced=replaced,
        problems=(*unknown, *in_the_way),
        warnings=(
            *(_differs(name, words) for name, words in differ.items()),
            *(each.warning for each in images.values() if each.warning),
            *(_to_pull(definitions, images) if work.dry_run else ()),
        ),
    )


async def with_images(
    attempt: Attempt, engine: Engine | None, making: Making, steps: Steps
) -> tuple[tuple[Definition, ...], tuple[str, ...]]:
    """The containers to make, each with the name of an image that is there by now; and what of
    that somebody should know.  Raises ImageNotPulledError."""
    if not making.definitions or engine is None:
        return (), ()
    api = await remaking.api_of(attempt)
    definitions, warnings = [], []
    for each in making.definitions:
        choice = making.images[each.plain_name]
        what = "see to" if choice.id else "pull"
        with steps.step(f"{what} the image {each.image}"):
            definition, warning = await obtain(attempt, engine, api, each, choice)
        definitions.append(definition)
        if warning not in ("", *making.warnings):
            warnings.append(warning)
    return tuple(definitions), tuple(warnings)


def _differs(name: str, words: Sequence[str]) -> str:
    return (
        f"{name} is not as it was at the backup ({', '.join(words)}): it is made again as it was, "
        "and the one of now is kept as an image."
    )


def _to_pull(definitions: Sequence[Definition], images: Mapping[str, Choice]) -> list[str]:
    away = [each.image for each in definitions if not images.get(each.plain_name, HERE).id]
    return [f"The image {each} is not there, and is pulled first." for each in dict.fromkeys(away)]


async def _images(
    api: Api, definitions: Sequence[Definition], kept: Kept
) -> tuple[dict[str, Choice], list[str]]:
    """By container; and of which nothing is to be had."""
    found, unknown = {}, []
    for each in definitions:
        choice = await choose(api, each, kept.registry_names.get(each.plain_name))
        if choice is not None:
            found[each.plain_name] = choice
        else:
            unknown.append(
                f"The image {each.image} is not there, and is of no registry: build or load it "
                "first."
            )
    return found, list(dict.fromkeys(unknown))
