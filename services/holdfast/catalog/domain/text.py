"""Names and other text from outside, checked before it goes anywhere."""

from holdfast.kernel.errors import InvalidRequestError

LONGEST_NAME = 200


def checked_name(value: str, field: str = "name") -> str:
    """*value* without blanks around it; InvalidRequestError names *field*."""
    name = checked_text(value, field).strip()
    if not name:
        raise InvalidRequestError(f"{field} is empty.", guidance="Give it a name.")
    if len(name) > LONGEST_NAME:
        raise InvalidRequestError(
            f"{field} has {len(name)} characters; {LONGEST_NAME} is the most."
        )
    if not name.isprintable():
        raise InvalidRequestError(f"{field} has a line break or another character without a shape.")
    return name


def checked_text(value: str, field: str, *, longest: int = 4096) -> str:
    """*value* as it is, if Postgres and a file system can hold it."""
    if "\0" in value:
        raise InvalidRequestError(f"{field} has a NUL character.")
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise InvalidRequestError(f"{field} is not valid Unicode.") from error
    if size > longest:
        raise InvalidRequestError(f"{field} is {size} bytes long; {longest} is the most.")
    return value
