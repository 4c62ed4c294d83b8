"""What the commands print."""

import io

from rich.console import Console
from rich.table import Table

from holdfast.cli.commands import id_column
from holdfast.kernel.ids import new_id


def test_an_id_is_whole_in_a_narrow_terminal() -> None:
    out, run_id = io.StringIO(), str(new_id())
    table = Table(id_column("run"), "operation", "app", "why", box=None)
    table.add_row(run_id, "backup", "photos", "The destination does not answer. " * 5)

    Console(file=out, width=60).print(table)

    assert run_id in out.getvalue()
