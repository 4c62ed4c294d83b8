"""What every channel promises, over a real connection."""

import msgspec
import pytest
from contract_line import Line  # type: ignore[import-not-found]
