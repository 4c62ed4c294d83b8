"""How it is told that something is not as it must be."""


class BrokenError(AssertionError):
    """An invariant does not hold; the text begins with its name."""


def demand(holds: object, invariant: str, detail: object = "") -> None:
    """Raises BrokenError."""
    if not holds:
        raise BrokenError(f"{invariant}: {detail}")
