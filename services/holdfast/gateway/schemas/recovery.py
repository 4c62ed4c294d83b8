"""The body of a request for the recovery kit."""

from typing import Annotated

import msgspec

from holdfast.gateway.kit.making import KitFormat
from holdfast.gateway.schemas.text import Request, SecretText
from holdfast.kernel.secret import Secret


class RecoveryKitRequest(Request, frozen=True, kw_only=True):
    """How the kit is to be."""

    format: KitFormat = KitFormat.HTML
    passphrase: (
        Annotated[
            SecretText, msgspec.Meta(description="Seals the kit; whoever opens it must know it.")
        ]
        | None
    ) = None

    def secret(self) -> Secret | None:
        """The passphrase, hidden."""
        return None if self.passphrase is None else Secret(self.passphrase)
