"""Shows the address of a database without what nobody but its owner may read."""

import re

from sqlalchemy import URL

_SECRET = re.compile(r"([a-z]*password=)[^&]*", re.IGNORECASE)
_FURTHER = re.compile(r"\?.*", re.DOTALL)


def shown_address(url: str) -> str:
    """Return an address for a message: user, password and parameters are written as `***`.

    It holds for any text, as an address that is wrong has no parts to go by: what stands before the
    last `@` is taken for the user, and what follows a `?` for parameters.
    """
    head, mark, tail = url.rpartition("@")
    scheme, slashes, _ = head.partition("//")
    hidden = f"{scheme}{slashes}***@{tail}" if mark and slashes else f"***@{tail}" if mark else url
    return _FURTHER.sub("?***", hidden)


def shown_url(url: URL) -> str:
    """Return an address that has its parts for a message, each password in it as `***`."""
    return _SECRET.sub(r"\1***", url.render_as_string(hide_password=True))
