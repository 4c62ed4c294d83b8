"""A person's own hooks, before and after a backup."""

import asyncio
from collections.abc import Sequence

import httpx

from holdfast.events.consistency import Hook, HookKind, OnFailure, Step, When
from holdfast.executor.attempt import Attempt
from holdfast.executor.consistency.commands import KEPT_BYTES, Ended, ended
from holdfast.executor.consistency.engine import engine_of
from holdfast.executor.domain import seconds_between, without
from holdfast.kernel.errors import HoldfastError
from holdfast.telemetry.logs import Log

log = Log("executor")


class HookFailedError(HoldfastError):
    """A hook failed."""

    code = "hook_failed"
    guidance = "Its output is in the result of the run. Set on_failure to 'warn' to go on without."


async def run_hooks(
    attempt: Attempt, hooks: Sequence[Hook], when: When, steps: list[Step], *, outcome: str = ""
) -> None:
    """Do those for *when*, in their order, and add what came of them to *steps*.

    Before a backup the first that fails and may not ends it; after one all have their turn.
    Raises HookFailedError.
    """
    failed: list[Step] = []
    for hook in hooks:
        if hook.when is not when:
            continue
        step = await _run(attempt, hook, outcome)
        steps.append(step)
        if step.ok:
            continue
        log.warning("hook_failed", run_id=str(attempt.work.run_id), hook=step.name)
        if hook.on_failure is OnFailure.ABORT:
            failed.append(step)
            if when is When.BEFORE:
                break
    if failed:
        names = ", ".join(each.name for each in failed)
        raise HookFailedError(f"{names}: {_how(failed[0])}.", detail=failed[0].output)


async def _run(attempt: Attempt, hook: Hook, outcome: str) -> Step:
    began = attempt.deps.now()
    try:
        end = await _end_of(attempt, hook, outcome)
    except HoldfastError as error:
        end = Ended(code=-1, output=str(error))
    return Step(
        name=name_of(hook),
        when=hook.when,
        ok=end.ok,
        seconds=round(seconds_between(began, attempt.deps.now()), 3),
        exit_code=end.code,
        output=without(attempt.all_secrets(), end.output),
    )


async def _end_of(attempt: Attempt, hook: Hook, outcome: str) -> Ended:
    shell = ("sh", "-c", hook.command)
    told = {"HOLDFAST_HOOK": hook.when.value, "HOLDFAST_OUTCOME": outcome}
    match hook.kind:
        case HookKind.COMMAND:
            return await ended(attempt, shell, seconds=hook.timeout_seconds, environment=told)
        case HookKind.CONTAINER:
            engine = await engine_of(attempt)
            argv = engine.exec(hook.container, shell, told)
            return await ended(attempt, argv, seconds=hook.timeout_seconds)
        case HookKind.HTTP:
            return await _request(attempt, hook, outcome)


async def _request(attempt: Attempt, hook: Hook, outcome: str) -> Ended:
    """Any answer of 200 to 299 is a good one."""
    said = {"run_id": str(attempt.work.run_id), "when": hook.when.value, "outcome": outcome}
    try:
        async with (
            asyncio.timeout(hook.timeout_seconds),
            httpx.AsyncClient(timeout=hook.timeout_seconds, trust_env=False) as client,
        ):
            body = None if hook.method in ("GET", "HEAD") else said
            async with client.stream(hook.method, hook.url, json=body) as response:
                content = b""
                async for chunk in response.aiter_bytes():
                    content = (content + chunk)[-KEPT_BYTES:]
    except (TimeoutError, httpx.TimeoutException):
        return Ended(code=None, output="No answer in time.")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Ended(code=-1, output=f"{type(error).__name__}: {error}")
    code = 0 if response.is_success else response.status_code
    return Ended(code=code, output=f"HTTP {response.status_code}\n{_text(content)}".strip())


def name_of(hook: Hook) -> str:
    """How a hook is called where it is told of."""
    match hook.kind:
        case HookKind.HTTP:
            # What follows may be a token.
            return f"{hook.method} {hook.url.partition('?')[0]}"
        case HookKind.CONTAINER:
            return f"{hook.container}: {_first_line(hook.command)}"
        case HookKind.COMMAND:
            return _first_line(hook.command)


def _first_line(command: str) -> str:
    return command.strip().partition("\n")[0][:80]


def _how(step: Step) -> str:
    return "its time was over" if step.exit_code is None else f"it ended with {step.exit_code}"


def _text(content: bytes) -> str:
    return content.decode(errors="replace")
