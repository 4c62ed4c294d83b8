"""Holdfast itself, as what is backed up.  Pure."""

from holdfast.events.system import SystemType

NAMES = {
    SystemType.DATABASE: "Holdfast's database",
    SystemType.PLATFORM_CONFIG: "Holdfast's settings",
}
"""As runs and notifications call them."""

FILES = {
    SystemType.DATABASE: "/holdfast-database.sql",
    SystemType.PLATFORM_CONFIG: "/holdfast-platform.tar",
}
"""The one file that is in a snapshot of it."""
