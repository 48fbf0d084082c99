"""How many seats a request may be about."""

from sublife.lifecycle.model import FigureError, ModelError

MOST_SEATS = 10_000_000
"""More than any offer sells to one subscription."""


def check_seats(quantity: int | None) -> None:
    """Check a number of seats; `None` means that none is named.

    Raises:
        ModelError: it is below 1, or (a `FigureError`) above `MOST_SEATS`.
    """
    if quantity is None or not hasattr(quantity, "__index__"):  # not a number: refused on submit
        return
    if quantity < 1:
        raise ModelError(f"quantity {quantity} is below 1; give at least 1, or cancel")
    if quantity > MOST_SEATS:
        raise FigureError(f"quantity {quantity} is above {MOST_SEATS:,}; give at most that many")
