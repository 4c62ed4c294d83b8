"""What a person may say about hooks and a quiet app.  Pure."""

import re
from urllib.parse import urlsplit

from msgspec.structs import replace

from holdfast.catalog.domain.text import checked_name, checked_text
from holdfast.events.consistency import Consistency, Hook, HookKind, Quiet
from holdfast.kernel.errors import InvalidRequestError

MOST_HOOKS = 20
MOST_CONTAINERS = 100
LONGEST_SECONDS = 6 * 3600
CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}")
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"))


def checked_consistency(wanted: Consistency) -> Consistency:
    """*wanted*, if all of it can be done.  InvalidRequestError names the field."""
    if len(wanted.hooks) > MOST_HOOKS or len(wanted.containers) > MOST_CONTAINERS:
        raise InvalidRequestError(
            f"consistency: {MOST_HOOKS} hooks and {MOST_CONTAINERS} containers are the most."
        )
    if wanted.quiet is not Quiet.RUN and not wanted.containers:
        raise InvalidRequestError(
            f"consistency.containers is empty, and quiet is {wanted.quiet.value!r}.",
            guidance="Name the app's containers; what others depend on comes first.",
        )
    hooks = tuple(_hook(hook, f"consistency.hooks[{n}]") for n, hook in enumerate(wanted.hooks))
    containers = tuple(
        checked_container(each, f"consistency.containers[{n}]")
        for n, each in enumerate(wanted.containers)
    )
    return replace(wanted, hooks=hooks, containers=tuple(dict.fromkeys(containers)))


def _hook(hook: Hook, field: str) -> Hook:
    if not 1 <= hook.timeout_seconds <= LONGEST_SECONDS:
        raise InvalidRequestError(
            f"{field}.timeout_seconds is {hook.timeout_seconds}; "
            f"from 1 to {LONGEST_SECONDS} will do."
        )
    if hook.kind is HookKind.HTTP:
        return replace(hook, url=_url(hook.url, field), method=_method(hook.method, field))
    if not checked_text(hook.command, f"{field}.command", longest=16_384).strip():
        raise InvalidRequestError(
            f"{field}.command is empty.", guidance="Write what is to be done."
        )
    if hook.kind is HookKind.CONTAINER:
        return replace(hook, container=checked_container(hook.container, f"{field}.container"))
    return hook


def checked_container(name: str, field: str) -> str:
    """*name*, if it can be a container's, which none is that the engine takes for an option.

    InvalidRequestError names the field.
    """
    if not CONTAINER.fullmatch(name):
        raise InvalidRequestError(
            f"{field}: {name!r} is no container's name.",
            guidance="Names are as 'docker ps' shows them.",
        )
    return name


def _method(method: str, field: str) -> str:
    if method.upper() not in METHODS:
        raise InvalidRequestError(
            f"{field}.method: {method!r} is none of {', '.join(sorted(METHODS))}."
        )
    return method.upper()


def _url(url: str, field: str) -> str:
    checked_name(url[:100], f"{field}.url")
    text = checked_text(url, f"{field}.url")
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidRequestError(
            f"{field}.url: {url!r} is no address of the web.",
            guidance="Start it with http:// or https://.",
        )
    return text
