"""``holdfast files``: look into a snapshot, against a running gateway."""

import time

from rich.markup import escape
from rich.table import Column, Table

from holdfast.cli.client import GatewayClient
from holdfast.cli.commands import console, find_snapshot, print_table, size, when
from holdfast.events.views import FilePage
from holdfast.kernel.errors import HoldfastError

PAGE = 500
PATIENCE_SECONDS = 600.0
"""A repository that is asked for the first time may have millions of files."""

AGAIN_SECONDS = 1.0


def files(snapshot: str, path: str) -> int:
    """Print what is in a folder of a snapshot."""
    table = Table("", Column("size", justify="right"), "changed", "name", box=None)
    with GatewayClient.find() as client:
        found = find_snapshot(client, snapshot)
        page = _first(client, f"/backup/snapshots/{found.id}/files", path)
        while True:
            for each in page.files:
                name = escape(each.name) + ("/" if each.type == "dir" else "")
                table.add_row(each.permissions, size(each.size), when(each.mtime), name)
            if page.next_cursor is None:
                break
            page = client.get(
                f"/backup/snapshots/{found.id}/files",
                FilePage,
                path=path,
                limit=PAGE,
                cursor=page.next_cursor,
            )
    print_table(table)
    console().print(f"{page.total_files} files, {size(page.total_size)} in the whole snapshot")
    return 0


def _first(client: GatewayClient, address: str, path: str) -> FilePage:
    """The first page; when nobody has looked into the snapshot yet it takes a while."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return client.get(address, FilePage, path=path, limit=PAGE)
        except HoldfastError as error:
            if error.code != "files_not_listed_yet" or time.monotonic() > until:
                raise
        time.sleep(AGAIN_SECONDS)
