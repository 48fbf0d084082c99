"""The tables of a database: made where there are none."""

from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError

from sublife.events.store.error import StoreError
from sublife.events.tables import metadata


def make_schema(engine: Engine) -> None:
    """Make our tables where they are missing.

    Raises:
        StoreError: the database cannot be opened.
    """
    try:
        metadata.create_all(engine)
    except DatabaseError as error:
        url = engine.url.render_as_string(hide_password=True)
        engine.dispose()
        raise StoreError(
            f"the database {url} cannot be opened: {error.orig}; check path, rights and format"
        ) from error
