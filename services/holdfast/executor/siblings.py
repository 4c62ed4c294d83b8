"""Two repositories with one master key: the same family, between which objects can be carried."""

import asyncio

from holdfast.events.work import DestinationAddress
from holdfast.executor.attempt import Attempt
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.secret import Secret
from holdfast.secretbox.restic_key import is_cheap
from holdfast.secretbox.restic_sibling import Sibling, fingerprint, make_sibling
from holdfast.storage.objects import Objects, path_of, whole


class FirstDestinationError(HoldfastError):
    """The house's first destination cannot be read, and a new one must be made to match it."""

    code = "first_destination_away"
    guidance = (
        "Bring it back and add this one again. If it is gone for good, remove it first: "
        "then the next one sets the pattern."
    )
    status = 422


async def family_of(attempt: Attempt, address: DestinationAddress, objects: Objects) -> bytes:
    """Equal for two repositories whose objects can be carried from one to the other.

    Asked of the keys themselves each time: an object in a repository that cannot unseal it
    would keep all of that one from opening.  Raises FirstDestinationError when the password
    opens none.
    """
    _, found = await _own_key(objects, attempt.password(address))
    return found


async def sibling_of(
    attempt: Attempt, first: DestinationAddress, objects: Objects, address: DestinationAddress
) -> Sibling:
    """What makes a repository at *address* one of the family of *first*."""
    password = attempt.password(first)
    key, _ = await _own_key(objects, password)
    config = await whole(objects, "config")
    return await asyncio.to_thread(
        make_sibling,
        key,
        password,
        config,
        new_password=attempt.password(address),
        cheap=address.cheap_key,
        now=attempt.deps.now(),
    )


async def _own_key(objects: Objects, password: Secret) -> tuple[bytes, bytes]:
    """The key file that *password* opens, the quickest first, and the family it is of."""
    names = await objects.names("keys")
    keys = [await whole(objects, path_of("keys", name)) for name in sorted(names)]
    for key in sorted(keys, key=lambda each: not is_cheap(each)):
        # In a thread: scrypt keeps a core busy for half a second.
        found = await asyncio.to_thread(fingerprint, key, password)
        if found is not None:
            return key, found
    raise FirstDestinationError("None of the repository's keys opens with its password.")
