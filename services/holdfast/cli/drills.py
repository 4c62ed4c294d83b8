"""Proving that what was backed up comes back, against a running gateway."""

from rich.table import Column, Table

from holdfast.cli.client import GatewayClient
from holdfast.cli.commands import (
    Apps,
    Configurations,
    console,
    find_app,
    print_steps,
    print_table,
    report,
    when,
)
from holdfast.cli.follow import follow_run
from holdfast.events.drills import DrillResult
from holdfast.events.views import RunAccepted
from holdfast.kernel.errors import NotFoundError


def drill(app: str) -> int:
    """Drill each configuration of an app, and say what was proved; 1 when anything was not."""
    worst = 0
    with GatewayClient.find() as client:
        found = find_app(client, app)
        ties = client.get("/backup/configurations", Configurations, app_id=found.id).configurations
        if not ties:
            raise NotFoundError(
                f"{found.name} has no configuration.", guidance="Tie it to a policy first."
            )
        for tie in ties:
            accepted = client.post(f"/backup/configurations/{tie.id}/drill", RunAccepted, {})
            run = follow_run(client, accepted.run_id, console())
            worst = max(worst, report(run))
            if isinstance(run.result, DrillResult):
                _tell(run.result)
    return worst


def drills() -> int:
    """Print when each app was last proved restorable; 1 when one never was."""
    with GatewayClient.find() as client:
        names = {each.id: each.name for each in client.get("/apps", Apps).apps}
        ties = client.get("/backup/configurations", Configurations).configurations
    table = Table(Column("app", overflow="fold"), "last proved", "how", "restored in", box=None)
    for tie in ties:
        name = names[tie.app_id] if tie.app_id else f"Holdfast: {tie.system_type}"
        proof = tie.last_proof
        if proof is None:
            table.add_row(name, "[red]never[/red]", "", "")
            continue
        how = f"{proof.result.mode}, {'all of it' if proof.result.is_whole else 'a sample'}"
        table.add_row(name, when(proof.at), how, f"{proof.result.restore_seconds:.1f} s")
    print_table(table)
    return 1 if any(tie.last_proof is None for tie in ties) else 0


def _tell(result: DrillResult) -> None:
    out = console()
    what = "all of it" if result.is_whole else "a sample of it"
    out.print(
        f"  {what}: {result.files} files, {result.bytes} bytes, {result.dumps} dumps, "
        f"restored in {result.restore_seconds:.1f} s"
    )
    print_steps(result.steps)
    for answer in result.answers:
        out.print(
            f"  {'yes' if answer.ok else 'NO '}  {answer.probe}: {answer.answer}", markup=False
        )
    for each in result.left_out:
        out.print(f"  without: {each}", markup=False)
    for each in result.differences:
        out.print(f"  different: {each}", markup=False)
