"""The log of the library: structlog on the host's own logging, silent until the host listens."""

import logging
from typing import cast

import structlog
from structlog.typing import FilteringBoundLogger

log = cast(
    "FilteringBoundLogger",
    structlog.wrap_logger(
        logging.getLogger("sublife"),
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.render_to_log_kwargs,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
    ),
)
"""Event names and keys; a host sees them by `logging.getLogger("sublife").setLevel("INFO")`."""
