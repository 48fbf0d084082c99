"""The log of the library: structlog on the host's own logging, silent until the host listens."""

import logging
from typing import cast

import structlog
from structlog.typing import FilteringBoundLogger

_logger = logging.getLogger("sublife")
_logger.addHandler(logging.NullHandler())

log = cast(
    "FilteringBoundLogger",
    structlog.wrap_logger(
        _logger,
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.render_to_log_kwargs,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
    ),
)
"""Event names and keys; a host sees them by `logging.getLogger("sublife").setLevel("INFO")`."""


def is_told_each() -> bool:
    """Return whether the host listens to single events; asking structlog costs more than one."""
    return _logger.isEnabledFor(logging.DEBUG)
