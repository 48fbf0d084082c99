"""The log of the library: structlog on the host's own logging, silent until the host listens."""

import logging
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

_logger = logging.getLogger("sublife")
_logger.addHandler(logging.NullHandler())


class _Log:
    """The logger, made when something is first logged: most commands never do, and start faster."""

    def __getattr__(self, name: str) -> Any:
        """Return what the logger has by that name."""
        if "made" not in self.__dict__:
            self.__dict__["made"] = _made()
        return getattr(self.__dict__["made"], name)


def _made() -> Any:
    import structlog  # noqa: PLC0415 – takes its time

    return structlog.wrap_logger(
        _logger,
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.render_to_log_kwargs,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
    )


log = cast("FilteringBoundLogger", _Log())
"""Event names and keys; a host sees them by `logging.getLogger("sublife").setLevel("INFO")`."""


def is_told_each() -> bool:
    """Return whether the host listens to single events; asking structlog costs more than one."""
    return _logger.isEnabledFor(logging.DEBUG)
