"""Open a locked kit where there is no browser."""

import re

import msgspec

from holdfast.gateway.kit.content import SealedKitFile
from holdfast.gateway.kit.page import whole
from holdfast.kernel.errors import InvalidRequestError
from holdfast.kernel.secret import Secret
from holdfast.secretbox.passphrase import open_text

_IN_PAGE = re.compile(r'<script type="application/json" id="sealed">(.*?)</script>', re.DOTALL)


def open_kit(text: str, passphrase: Secret) -> str:
    """The unlocked file of a locked one: a page of a page, JSON of JSON.

    Raises WrongPassphraseError, and InvalidRequestError for what is no locked kit.
    """
    in_page = _IN_PAGE.search(text)
    try:
        file = msgspec.json.decode(in_page[1] if in_page else text, type=SealedKitFile)
    except msgspec.MsgspecError as error:
        raise InvalidRequestError(
            "This is no recovery kit under a passphrase.",
            guidance="One without a passphrase can be read as it is.",
        ) from error
    opened = open_text(file.sealed, passphrase)
    return whole(opened) if in_page else opened
