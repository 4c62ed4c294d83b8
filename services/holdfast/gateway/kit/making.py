"""Ask the catalog for the kit, and make the file of it that was asked for."""

import asyncio
from enum import StrEnum

import msgspec

from holdfast.events.queries import RECOVERY_KIT_PURPOSE, KitContent, MakeRecoveryKit
from holdfast.gateway.catalog_client import CatalogClient
from holdfast.gateway.kit.content import SealedKitFile, kit_of
from holdfast.gateway.kit.page import body_of, locked_page, page
from holdfast.kernel.secret import Secret
from holdfast.secretbox.envelope import ReceiverKey
from holdfast.secretbox.passphrase import seal_text


class KitFormat(StrEnum):
    """What the kit is written as."""

    HTML = "html"
    JSON = "json"


async def make_kit(catalog: CatalogClient, format_: KitFormat, passphrase: Secret | None) -> bytes:
    """The kit's file; with *passphrase* it is sealed.  What is on the bus is sealed to a key
    made for this one question."""
    key = ReceiverKey.generate()
    answer = await catalog.ask(MakeRecoveryKit(public_key=key.public))
    kit = kit_of(
        msgspec.json.decode(key.open(answer.sealed, RECOVERY_KIT_PURPOSE), type=KitContent)
    )
    if format_ is KitFormat.JSON:
        plain = msgspec.json.format(msgspec.json.encode(kit), indent=2)
        if passphrase is None:
            return plain + b"\n"
        sealed = await _sealed(plain.decode(), passphrase)
        return msgspec.json.format(msgspec.json.encode(sealed), indent=2) + b"\n"
    if passphrase is None:
        return page(kit).encode()
    return locked_page(await _sealed(body_of(kit), passphrase)).encode()


async def _sealed(text: str, passphrase: Secret) -> SealedKitFile:
    # PBKDF2 is meant to be slow; the event loop need not stand still for it.
    return SealedKitFile(sealed=await asyncio.to_thread(seal_text, text, passphrase))
