"""``holdfast recovery-kit``: the page for the day when Holdfast is gone."""

from pathlib import Path

import click

from holdfast.cli.client import GatewayClient
from holdfast.gateway.kit.making import KitFormat
from holdfast.gateway.kit.opening import open_kit
from holdfast.kernel.errors import HoldfastError, InvalidRequestError
from holdfast.kernel.private_file import replace_private
from holdfast.kernel.secret import Secret

DEFAULT = Path("holdfast-recovery-kit.html")

ADVICE = """Print it, keep it with documents that matter, away from the machines that are backed up,
and delete the file. Whoever has it{knows} can read every backup."""


class KitFileError(HoldfastError):
    """The recovery kit's file cannot be read or written."""

    code = "kit_file"


def make(out: Path, passphrase: Secret | None) -> int:
    """Write the kit to *out*, mode 0600: JSON if it is called so, else the page."""
    format_ = KitFormat.JSON if out.suffix == ".json" else KitFormat.HTML
    body = {"format": format_.value}
    if passphrase is not None:
        body["passphrase"] = passphrase.reveal()
    with GatewayClient.find() as client:
        content = client.file("/backup/recovery-kit", body)
    try:
        replace_private(out.absolute(), content)
    except OSError as error:
        raise KitFileError(f"{out} cannot be written: {error.strerror}.") from error
    click.echo(f"The recovery kit is in {out}.")
    click.echo(ADVICE.format(knows=" and knows the passphrase" if passphrase else ""))
    return 0


def unlock(file: Path, passphrase: Secret) -> int:
    """Print what is in a locked kit."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise KitFileError(f"{file} cannot be read.", detail=str(error)) from error
    click.echo(open_kit(text, passphrase))
    return 0


def passphrase_from(file: Path | None, question: str, *, new: bool) -> Secret | None:
    """The first line of *file*, or what a person types; None for nothing typed.

    Raises InvalidRequestError for an empty file.
    """
    if file is not None:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidRequestError(f"{file} cannot be read.", detail=str(error)) from error
        if not lines or not lines[0]:
            raise InvalidRequestError(f"The first line of {file} is empty.")
        return Secret(lines[0])
    typed = click.prompt(
        question, hide_input=True, confirmation_prompt=new, default="", show_default=False
    )
    return Secret(typed) if typed else None
