"""Options that several commands have."""

from pathlib import Path

import click

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
"""A file that is there."""

DATA = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where Holdfast keeps its own things. [HOLDFAST_DATA, or ~/.local/share/holdfast]",
)

PASSPHRASE_FILE = click.option(
    "--passphrase-file",
    type=FILE,
    help="The passphrase is the file's first line; without it you are asked.",
)
