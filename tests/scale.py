"""How large a test is: small in `make test`, full in `make soak`.

A test that has a full form is marked `soak` and takes its sizes from `sized`. `make test` runs it
small; `make soak` sets SOAK=1 and runs every test with that mark in full.
"""

import os
from typing import TypeVar

T = TypeVar("T")

IS_FULL = os.environ.get("SOAK", "") not in {"", "0"}


def sized(small: T, full: T) -> T:
    """Return *full* in a soak run and *small* otherwise."""
    return full if IS_FULL else small
