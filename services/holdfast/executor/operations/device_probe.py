"""``device_probe``: can the device be reached, who are we there, and what is there."""

from holdfast.events.run import DeviceProbeResult, RunStatus
from holdfast.events.work import DeviceAddress, DeviceProbeRequested
from holdfast.executor.attempt import Attempt
from holdfast.executor.domain import Outcome
from holdfast.executor.repositories import environment_on, login_of
from holdfast.kernel.clock import Now
from holdfast.storage.base import SftpTarget, fingerprint_of


async def run(attempt: Attempt, work: DeviceProbeRequested) -> Outcome:
    """Changes nothing there."""
    target = await login_of(work.device, attempt.secrets_for(work.device.device_id))
    found = _look(target, work.device, attempt.deps.now)
    return Outcome(status=RunStatus.SUCCESS, result=await attempt.hold.guard(found))


async def _look(target: SftpTarget, device: DeviceAddress, now: Now) -> DeviceProbeResult:
    # Loading asyncssh takes 0.2 s: only who meets such a device does it.
    from holdfast.devices.facts import facts_of
    from holdfast.devices.ssh import SshRunner
    from holdfast.storage.sftp_connection import connected

    async with connected(target) as connection:
        runner = SshRunner(connection, sudo=device.sudo, environment=environment_on(device))
        facts = await facts_of(runner, now, program="restic")
    return DeviceProbeResult(
        host_key=target.host_key,
        host_key_fingerprint=fingerprint_of(target.host_key),
        user=facts.user,
        is_root=facts.uid == 0,
        hostname=facts.hostname,
        system=facts.system,
        machine=facts.machine,
        restic=facts.program,
        docker=bool(facts.docker),
        podman=bool(facts.podman),
        free_bytes=facts.free_bytes,
        clock_ahead_seconds=round(facts.clock_ahead.total_seconds()),
        warnings=facts.warnings,
    )
