"""The rows of bearer tokens, of every tenant: kept by their hash, never by their text."""

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update

from sublife.events.layout import TOKEN
from sublife.events.store.bulk import Bulk
from sublife.events.store.database import Source
from sublife.events.store.delivery.work import write
from sublife.events.store.link import Link
from sublife.events.store.statement import Statement, stored, written
from sublife.events.store.typed import LeftOut, Reader, readable
from sublife.events.token import Role, Token, UnknownTokenError

_NEW = Bulk(TOKEN)
_FOUND = Statement(select(TOKEN).where(TOKEN.c.id == bindparam("i")))
_ALL = Statement(select(TOKEN).order_by(TOKEN.c.created_at, TOKEN.c.id))
_ANY = Statement(select(TOKEN.c.id).select_from(TOKEN).limit(1))
_REVOKE = Statement(
    update(TOKEN)
    .where(TOKEN.c.id == bindparam("i"), TOKEN.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("at"))
)


class Tokens:
    """The tokens of a database; each carries its tenant.

    Args:
        source: where transactions come from.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def add(self, token: Token) -> None:
        """Write down a token.

        Raises:
            ConflictError: there is one of that id.
        """
        row = (
            token.id,
            token.tenant,
            token.role.value,
            token.label,
            token.hash,
            written(token.created_at),
            token.created_by,
            written(token.expires_at),
            written(token.revoked_at),
        )
        write(self._source, lambda link: _NEW.write(link, [row]))

    def find(self, identifier: str) -> Token | None:
        """Return the token of an id, or `None`.

        Raises:
            UnreadableError: its row cannot be read.
        """
        with self._source.reading() as link:
            rows = _FOUND.rows(link, {"i": identifier})
        return _token_of(rows[0]) if rows else None

    def all(self, *, left_out: LeftOut | None = None) -> tuple[Token, ...]:
        """Return every token there is or was, the oldest first.

        Args:
            left_out: takes the error of each row that cannot be read; if not given, it is raised.
        """
        with self._source.reading() as link:
            rows = _ALL.rows(link, {})
        return tuple(readable(rows, _token_of, left_out))

    def is_empty(self) -> bool:
        """Return whether no token has ever been made; revoked and expired ones count."""
        with self._source.reading() as link:
            return not _ANY.rows(link, {})

    def revoke(self, identifier: str, now: datetime) -> Token:
        """Let a token be valid no longer, and return it; one that is revoked stays as it is.

        Raises:
            UnknownTokenError: there is none of that id.
        """

        def work(link: Link) -> Token:
            _REVOKE.write(link, [{"i": identifier, "at": stored(now, link.dialect)}])
            rows = _FOUND.rows(link, {"i": identifier})
            if not rows:
                raise UnknownTokenError(
                    f'there is no token "{identifier}"; `sublife tokens list` shows those there are'
                )
            return _token_of(rows[0])

        return write(self._source, work)


_READER = Reader(
    TOKEN,
    key=lambda found: f"token {found['id']}",
    remedy="it opens nothing; make another one with `sublife tokens create`",
    role=Role,
)


def _token_of(row: Any) -> Token:
    return Token(**_READER.values(row))
