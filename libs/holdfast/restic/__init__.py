"""restic as a library: one file a command, typed in and out, secrets never in sight."""

from holdfast.restic.process import Finished, Restic, Running
from holdfast.restic.repository import Repository, S3Access, SftpAccess

__all__ = ["Finished", "Repository", "Restic", "Running", "S3Access", "SftpAccess"]
