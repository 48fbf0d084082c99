"""Shows the address of a database or server without what only its owner may read."""

import re
from urllib.parse import quote_plus

from sqlalchemy import URL

_HIDDEN = "***"
_MOST = 1000
"""Characters of an address that are shown; more of them would say nothing, and take long."""
_FURTHER = re.compile(r"\?.*", re.DOTALL)
_WORD = re.compile(
    r"(?<![a-z_])([a-z_]*(?:pass|pwd|secret|token|key)[a-z_]*\s*=\s*)('[^']*'|[^\s&;,]+)",
    re.IGNORECASE,
)
"""A password among the words of libpq: `host=db password=…`."""
_PORT = re.compile(r"(//[^/:@\[\]]*:)(?![0-9]{0,5}(?:[/?,]|$))[^/]*")
"""What stands where the port should: a password, where `@` and the host were left out."""
_ALONE = re.compile(r"(?![0-9]+$)[^\s:/.@=?]+")
"""A word that is no address at all; it may be the password."""
_PLAIN = frozenset(
    {
        "application_name",
        "cache",
        "check_same_thread",
        "connect_timeout",
        "host",
        "immutable",
        "isolation_level",
        "keepalives",
        "mode",
        "nolock",
        "port",
        "prepare_threshold",
        "psow",
        "service",
        "sslmode",
        "target_session_attrs",
        "timeout",
        "uri",
        "vfs",
    }
)
"""Parameters that hold no secret; the value of another one, perhaps misspelt, is not shown."""


def shown_address(url: str) -> str:
    """Return an address for a message: user, password and parameters are written as `***`.

    It holds for any text, as an address that is wrong has no parts to go by: what stands before the
    last `@` is taken for the user, and what follows a `?` for parameters.
    """
    if _ALONE.fullmatch(url):
        return _HIDDEN
    head, mark, tail = url.rpartition("@")
    scheme, slashes, _ = head.partition("//")
    hidden = f"{scheme}{slashes}***@{tail}" if mark and slashes else f"***@{tail}" if mark else url
    if len(hidden) > _MOST:
        hidden = f"{hidden[:_MOST]}…"
    return _WORD.sub(rf"\1{_HIDDEN}", _PORT.sub(rf"\1{_HIDDEN}", _FURTHER.sub("?***", hidden)))


def shown_url(url: URL) -> str:
    """Return an address that has its parts for a message, what may be secret in it as `***`."""
    query = {name: value if name in _PLAIN else _HIDDEN for name, value in url.query.items()}
    shown = url.set(query=query).render_as_string(hide_password=True)
    return shown.replace(quote_plus(_HIDDEN), _HIDDEN)
