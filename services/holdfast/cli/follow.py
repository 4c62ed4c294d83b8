"""Following a run to its end, with a progress bar."""

import queue
import threading
from uuid import UUID

import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from holdfast.cli.client import GatewayClient
from holdfast.events.run import RunProgress
from holdfast.events.views import RunView
from holdfast.kernel.errors import HoldfastError


class Envelope(msgspec.Struct):
    """A CloudEvent in structured form; only what is needed of it."""

    data: msgspec.Raw


def follow_run(client: GatewayClient, run_id: UUID, console: Console) -> RunView:
    """Wait for the run's outcome, drawing its progress meanwhile.

    The bar is fed by the event stream; the outcome comes from the run itself, so
    a broken stream costs the picture, not the answer.
    """
    news: queue.SimpleQueue[RunProgress] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(client, run_id, news), daemon=True).start()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        DownloadColumn(binary_units=True),
        TimeElapsedColumn(),
        console=console,
        transient=not console.is_terminal,
    ) as progress:
        run = client.get(f"/backup/runs/{run_id}", RunView)
        bar = progress.add_task(run.operation.value, total=None)
        while not run.status.is_outcome:
            _draw(progress, bar, news)
            run = client.get(f"/backup/runs/{run_id}", RunView)
        total = progress.tasks[0].total
        progress.update(bar, completed=total or 1, total=total or 1)
    return run


def _draw(progress: Progress, bar: object, news: "queue.SimpleQueue[RunProgress]") -> None:
    """Draw what has come within a fifth of a second."""
    try:
        step = news.get(timeout=0.2)
    except queue.Empty:
        return
    task = progress.tasks[0]
    assert task.id == bar
    progress.update(task.id, completed=step.bytes_done, total=step.total_bytes or None)


def _listen(client: GatewayClient, run_id: UUID, news: "queue.SimpleQueue[RunProgress]") -> None:
    try:
        for event in client.events():
            if event.type != RunProgress.TYPE:
                continue
            step = msgspec.json.decode(
                msgspec.json.decode(event.data, type=Envelope).data, type=RunProgress
            )
            if step.run_id == run_id:
                news.put(step)
    except (HoldfastError, msgspec.MsgspecError):
        return  # without the stream there is no bar; the outcome is asked for all the same
