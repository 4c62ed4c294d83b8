"""Configurations of other tools as an export of ours; one file a tool, each a pure parser."""

from holdfast.cli.importers.base import Found
from holdfast.cli.importers.reading import read_foreign

__all__ = ["Found", "read_foreign"]
