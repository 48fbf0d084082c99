"""Pages of a list: how many rows, where to go on, and the link that does."""

from typing import Annotated, Generic, TypeVar
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, Field

from sublife.events.store import Page
from sublife.scheduler.api.path import address

LIMIT, MOST = 100, 1000

T = TypeVar("T")
R = TypeVar("R")


class Listing(BaseModel, Generic[T]):
    """A page of a list."""

    items: list[T]
    next: str | None = Field(description="where the rows that follow are; null at the end")


class Paging:
    """Which page is asked for, and how the next one is told."""

    def __init__(
        self,
        request: Request,
        response: Response,
        after: Annotated[
            str | None,
            Query(max_length=4000, description="a cursor: leave it to the link in `next`"),
        ] = None,
        limit: Annotated[int, Query(ge=1, le=MOST, description="rows of the page")] = LIMIT,
    ) -> None:
        self.after, self.limit = after, limit
        self._address, self._query = address(request.scope), request.url.query
        self._response = response

    def listing(self, page: Page[R], items: list[T]) -> Listing[T]:
        """Return a page as a body; the header Link has the next one too (RFC 8288)."""
        following = None
        if page.next is not None:
            query = [each for each in parse_qsl(self._query) if each[0] != "after"]
            following = f"{self._address}?{urlencode([*query, ('after', page.next)])}"
            self._response.headers["Link"] = f'<{following}>; rel="next"'
        return Listing(items=items, next=following)


Paged = Annotated[Paging, Depends(Paging)]
