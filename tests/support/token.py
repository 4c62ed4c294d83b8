"""A hardware token in software: SoftHSM 2, as a directory."""

import os
import subprocess
from pathlib import Path

import pytest

from holdfast.kernel.secret import Secret
from holdfast.secretbox.token_key import TokenAccess

MODULES = (
    Path("/usr/lib/softhsm/libsofthsm2.so"),
    Path("/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"),
)
PIN = "9876"


class SoftToken:
    """One token; ``environment`` is what a process needs to see it."""

    def __init__(self, data: Path, label: str = "holdfast") -> None:
        self.module = next((each for each in MODULES if each.exists()), None)
        if self.module is None:
            pytest.skip("no SoftHSM 2 here: apt-get install softhsm2")
        self.tokens = data / "tokens"
        self.tokens.mkdir(parents=True)
        config = data / "softhsm2.conf"
        config.write_text(f"directories.tokendir = {self.tokens}\n")
        self.label = label
        self.environment = {"SOFTHSM2_CONF": str(config)}
        subprocess.run(
            [
                *("softhsm2-util", "--init-token", "--free", "--label", label),
                *("--so-pin", "12345678", "--pin", PIN),
            ],
            env={**os.environ, **self.environment},
            check=True,
            capture_output=True,
        )

    def access(self, *, pin: str = PIN, token: str = "", key: str = "holdfast") -> TokenAccess:
        assert self.module is not None
        return TokenAccess(module=self.module, token=token or self.label, key=key, pin=Secret(pin))
