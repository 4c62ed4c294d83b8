"""Paths as restic's patterns."""


def exact_pattern(path: str) -> str:
    """A pattern for --include that means *path* itself, whatever characters it has.

    U+FFFD stands for one byte that is not UTF-8 in the paths that ``ls`` tells, and so it
    becomes '?': such a path may bring a sibling with it that differs in that one byte.
    Raises ValueError unless *path* is absolute, because another would match at any depth.
    """
    if not path.startswith("/"):
        raise ValueError(f"{path!r} is not absolute")
    for special in "\\*?[":
        path = path.replace(special, f"\\{special}")
    return path.replace("\N{REPLACEMENT CHARACTER}", "?")
