"""Process settings, read once from the environment.  ("Configuration" is a word of the domain.)"""

from holdfast.settings.settings import Settings

__all__ = ["Settings"]
