"""Every knob there is, with its default."""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from holdfast.kernel.errors import InvalidRequestError
from holdfast.kernel.secret import Secret
from holdfast.settings.address import host_and_port
from holdfast.settings.zone import is_zone, machine_timezone

LONGEST_SECONDS = 366 * 24 * 3600.0
MOST_SLOTS = 1000

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def default_data() -> Path:
    """Where ``holdfast up`` keeps everything unless told otherwise (XDG data directory)."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "holdfast"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a process needs to know before it starts."""

    data: Path
    """Its own directory: keys, tokens, cache; with ``holdfast up`` also NATS and Postgres."""
    listen: str = "127.0.0.1:8700"
    """Where the gateway serves HTTP; port 0 takes a free one."""
    health_listen: str = ""
    """Where a process without the gateway serves /health, /ready and /metrics; empty: nowhere."""
    nats_url: str = ""
    """An outside NATS server; empty with ``holdfast up``: its own."""
    postgres_dsn: str = ""
    """An outside Postgres; empty with ``holdfast up``: its own."""
    restic: Path | None = None
    """The restic binary; None: found beside Python or on PATH."""
    rclone: Path | None = None
    """The rclone binary, for append-only destinations; None: found beside Python or on PATH."""
    site: str = "main"
    """Which devices an executor serves: those of the same site."""
    master_passphrase: Secret | None = None
    """The master key comes from it; None: from the key file."""
    master_key_path: Path | None = None
    pkcs11_module: Path | None = None
    """The library of a hardware token; the master key then comes from the token."""
    pkcs11_token: str = "holdfast"  # noqa: S105 - a label, not a secret
    """The token's label."""
    pkcs11_key: str = "holdfast"
    """The label of the AES key in it."""
    pkcs11_pin: Secret = Secret("")
    webhook_url: str | None = None
    """Where the notifier posts; None: nowhere."""
    executor_slots: int = 2
    """How many runs one executor does at once."""
    retry_delays: tuple[float, ...] = (300.0, 1800.0, 7200.0)
    """Seconds before each retry of a destination that failed for a passing cause."""
    claim_seconds: float = 15.0
    """How long an executor's claim lasts without a heartbeat."""
    lock_wait_seconds: float = 3600.0
    """How long a run waits for somebody else's lock on a repository before it fails."""
    app_lease_seconds: float = 60.0
    """So long after our last sign of life an app that is stopped for its backup comes back."""
    discover_seconds: float = 60.0
    """How often a device's container engines are asked what they run; 0: only when asked to."""
    system_backups: bool = True
    """Whether Holdfast backs its own database and settings up unasked."""
    drills: bool = True
    """Whether every configuration is proved restorable once a month, unless it says otherwise."""
    platform_paths: tuple[Path, ...] = ()
    """Files and directories that Holdfast was started with, as its compose file."""
    timezone: str = "UTC"
    """The zone of schedules that name none."""
    log_level: str = "INFO"

    @property
    def master_key_file(self) -> Path:
        """Where the master key is, when no passphrase is set."""
        return self.master_key_path or self.data / "master-key"

    @property
    def admin_token_file(self) -> Path:
        """The administrator's API token, mode 0600."""
        return self.data / "admin-token"

    @property
    def webhook_secret_file(self) -> Path:
        """What signs webhooks, mode 0600."""
        return self.data / "webhook-secret"

    @property
    def cache(self) -> Path:
        """restic's cache, one directory a destination; may be deleted at any time."""
        return self.data / "cache"

    @staticmethod
    def from_environment(environ: Mapping[str, str]) -> "Settings":
        """Read ``HOLDFAST_…``; what is not set keeps its default.

        Raises InvalidRequestError that names the variable.
        """

        def text(name: str, default: str = "") -> str:
            return environ.get(f"HOLDFAST_{name}", default)

        def path(name: str) -> Path | None:
            return Path(text(name)).expanduser().absolute() if text(name) else None

        passphrase = text("MASTER_PASSPHRASE")
        return Settings(
            data=path("DATA") or default_data(),
            listen=text("LISTEN", "127.0.0.1:8700"),
            health_listen=_address("HEALTH_LISTEN", text("HEALTH_LISTEN")),
            nats_url=text("NATS_URL"),
            postgres_dsn=_dsn("POSTGRES_DSN", text("POSTGRES_DSN")),
            restic=path("RESTIC"),
            rclone=path("RCLONE"),
            site=text("SITE", "main"),
            master_passphrase=Secret(passphrase) if passphrase else None,
            master_key_path=path("MASTER_KEY_FILE"),
            pkcs11_module=path("PKCS11_MODULE"),
            pkcs11_token=text("PKCS11_TOKEN", "holdfast"),
            pkcs11_key=text("PKCS11_KEY", "holdfast"),
            pkcs11_pin=Secret(text("PKCS11_PIN")),
            webhook_url=text("WEBHOOK_URL") or None,
            executor_slots=_slots(environ, "EXECUTOR_SLOTS", 2),
            retry_delays=_delays(environ, "RETRY_DELAYS", (300.0, 1800.0, 7200.0)),
            claim_seconds=_number(environ, "CLAIM_SECONDS", 15.0, at_least=1),
            lock_wait_seconds=_number(environ, "LOCK_WAIT_SECONDS", 3600.0, at_least=0),
            app_lease_seconds=_number(environ, "APP_LEASE_SECONDS", 60.0, at_least=3),
            discover_seconds=_number(environ, "DISCOVER_SECONDS", 60.0, at_least=0),
            system_backups=_switch(environ, "SYSTEM_BACKUPS", default=True),
            drills=_switch(environ, "DRILLS", default=True),
            platform_paths=tuple(
                Path(each).expanduser().absolute()
                for each in text("PLATFORM_PATHS").split(":")
                if each
            ),
            timezone=_zone(text("TIMEZONE")) or machine_timezone(),
            log_level=_log_level(text("LOG_LEVEL") or "INFO"),
        )


def _address(name: str, listen: str) -> str:
    """Raises InvalidRequestError when it is set and no HOST:PORT."""
    if listen:
        try:
            host_and_port(listen)
        except InvalidRequestError as error:
            raise InvalidRequestError(
                f"HOLDFAST_{name}: {error.message}", guidance=error.hint
            ) from error
    return listen


def _zone(name: str) -> str:
    """Raises InvalidRequestError when it is no IANA zone."""
    if name and not is_zone(name):
        raise InvalidRequestError(
            f"HOLDFAST_TIMEZONE is {name!r}; it must be an IANA zone, as in Europe/Berlin."
        )
    return name


def _log_level(name: str) -> str:
    """Raises InvalidRequestError when it is none."""
    if name.upper() not in LOG_LEVELS:
        raise InvalidRequestError(
            f"HOLDFAST_LOG_LEVEL is {name!r}; it must be one of {', '.join(LOG_LEVELS)}."
        )
    return name.upper()


def _dsn(name: str, dsn: str) -> str:
    """Raises InvalidRequestError, without the value: a password may be in it."""
    try:
        parts = urlsplit(dsn)
        good = parts.scheme in ("postgres", "postgresql") and (parts.port or 1) > 0
    except ValueError:
        good = False
    if dsn and not good:
        raise InvalidRequestError(
            f"HOLDFAST_{name} is no address of a Postgres server; it must read as in "
            "postgresql://USER:PASSWORD@HOST:5432/DATABASE."
        )
    return dsn


def _number(environ: Mapping[str, str], name: str, default: float, *, at_least: float) -> float:
    raw = environ.get(f"HOLDFAST_{name}")
    if raw is None or raw == "":
        return default
    value = _seconds(raw)
    if value is None or value < at_least:
        raise InvalidRequestError(
            f"HOLDFAST_{name} is {raw!r}; it must be a number of seconds, "
            f"from {at_least:g} to {LONGEST_SECONDS:.0f}."
        )
    return value


def _switch(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    raw = environ.get(f"HOLDFAST_{name}") or ("on" if default else "off")
    if raw not in ("on", "off"):
        raise InvalidRequestError(f"HOLDFAST_{name} is {raw!r}; it must be on or off.")
    return raw == "on"


def _slots(environ: Mapping[str, str], name: str, default: int) -> int:
    raw = environ.get(f"HOLDFAST_{name}") or str(default)
    value = int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 10 else 0
    if not 1 <= value <= MOST_SLOTS:
        raise InvalidRequestError(
            f"HOLDFAST_{name} is {raw!r}; it must be a whole number, from 1 to {MOST_SLOTS}."
        )
    return value


def _delays(environ: Mapping[str, str], name: str, default: tuple[float, ...]) -> tuple[float, ...]:
    raw = environ.get(f"HOLDFAST_{name}")
    if raw is None:
        return default
    delays = [_seconds(part) for part in raw.split(",") if part.strip()]
    good = tuple(each for each in delays if each is not None)
    if len(good) < len(delays):
        raise InvalidRequestError(
            f"HOLDFAST_{name} is {raw!r}; it must be seconds with commas between, as in "
            f"300,1800, each from 0 to {LONGEST_SECONDS:.0f}."
        )
    return good


def _seconds(raw: str) -> float | None:
    """None for what is no number, not finite, negative, or longer than a year."""
    try:
        value = float(raw)
    except ValueError:
        return None
    return value if 0 <= value <= LONGEST_SECONDS else None
