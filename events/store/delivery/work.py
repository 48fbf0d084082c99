"""Runs work in transactions: any that writes, or only our own."""

from collections.abc import Callable
from typing import TypeVar

from sublife.events.store.database import Source
from sublife.events.store.error import ConflictError, StoreError
from sublife.events.store.link import Link

T = TypeVar("T")
ATTEMPTS = 8
"""How often a transaction is tried when other writers come between."""


def write(source: Source, work: Callable[[Link], T]) -> T:
    """Do *work* in one transaction; where another writer comes between, do it again.

    Raises:
        ConflictError: others came between every time; nothing was changed.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with source.writing() as link:
                return work(link)
        except ConflictError as error:
            if attempt == ATTEMPTS or not source.may_repeat(error):
                raise
    raise AssertionError


def hand_on(source: Source, work: Callable[[Link], T]) -> T:
    """Do *work* in a transaction of our own, never in one that a host may roll back.

    Raises:
        StoreError: the store is one inside a host's transaction.
    """
    if source.is_the_hosts:
        raise StoreError(
            "facts are handed on after the commit, not inside a host's transaction; use a store "
            "with an engine of its own"
        )
    return write(source, work)
