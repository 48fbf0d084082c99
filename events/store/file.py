"""Which file a SQLite address names, who may write it, and whether it is still at its path."""

import os
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from sublife.events.store.error import MissingError, ReplacedError, StoreError
from sublife.events.store.secret import shown_address, shown_url

MEMORY = ":memory:"
_TRUE = {"true", "t", "yes", "y", "on", "1"}
"""What SQLAlchemy takes for a yes in an address."""
_AUTHORITY = re.compile(r"//(?:localhost)?(?=/)")
_DRIVE = re.compile(r"/[A-Za-z]:")
_LOG = "-wal"
_OF_THE_DRIVER = frozenset(
    {"timeout", "isolation_level", "detect_types", "check_same_thread", "cached_statements"}
)
"""Parameters of an address that count without `uri=true`."""
_OF_SQLITE = frozenset({"mode", "modeof", "cache", "psow", "nolock", "immutable", "vfs"})
"""Those that SQLite itself takes of a URI."""
_SHOWN = 40


class Identity(NamedTuple):
    """What makes a file the same one, by whatever path: its device and its number there."""

    device: int
    number: int


class Opened(NamedTuple):
    """A database file that a connection has open.

    Args:
        path: as the address names it, absolute; links in it are not resolved.
        identity: of the file that was there when it was opened.
    """

    path: Path
    identity: Identity | None

    def demand(self) -> None:
        """Do nothing if the file at the path is still the one that was opened.

        Raises:
            ReplacedError: it was deleted or moved, or another file is in its place.
        """
        if self.identity is None:
            return
        try:
            found = identity_of(self.path)
        except OSError:
            return  # it cannot be looked at, which says nothing about the file
        if found == self.identity:
            return
        what = "was deleted or moved" if found is None else "was replaced by another file"
        raise ReplacedError(
            f"the database file {self.path} {what} while it was open, so nothing more is written "
            "to the old one; put the right file in its place, then start again"
        )


def address_of(url: str) -> URL:
    """Return a SQLite address with an absolute path, so that a change of folder changes nothing.

    Args:
        url: an address that SQLAlchemy understands, also with `file:` and `uri=true`.

    Raises:
        StoreError: it is no such address.
    """
    try:
        address = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise StoreError(
            f'"{shown_address(url)}" is not an address; write sqlite:///file.db'
        ) from error
    if address.host or address.username or address.port:
        raise StoreError(
            f'"{shown_address(url)}" is not an address of SQLite; write sqlite:///relative.db or '
            "sqlite:////absolute.db, with three or four slashes"
        )
    if not _is_uri(address):
        return address
    path = path_of(address)
    if path is None:
        return address
    return address.set(database=f"file:{_escaped(str(path))}")


def path_of(address: URL | str) -> Path | None:
    """Return the absolute path of the file a SQLite address names; `None` if it is in memory.

    Links are not resolved. It is the path that SQLite opens, however the address spells it.

    Raises:
        StoreError: it is no address.
    """
    address = address_of(address) if isinstance(address, str) else address
    name = address.database or ""
    if not _is_uri(address):
        # The driver's own dialect makes it absolute in the same way.
        return None if name in {"", MEMORY} else Path(os.path.abspath(name))  # noqa: PTH100
    if not name.startswith("file:"):
        return None if name in {"", MEMORY} else Path.cwd() / name
    name, _, options = name.removeprefix("file:").partition("#")[0].partition("?")
    name = unquote(_AUTHORITY.sub("", name, count=1)).partition("\0")[0]
    if os.name == "nt" and _DRIVE.match(name):
        name = name[1:]
    given = {*options.split("&"), *(f"{key}={value}" for key, value in address.query.items())}
    if name in {"", MEMORY} or given & {"mode=memory", "vfs=memdb"}:
        return None
    return Path.cwd() / name


def demand_known(address: URL) -> None:
    """Refuse a parameter that neither the driver nor SQLite takes: it would have no effect.

    Args:
        address: of a SQLite database.

    Raises:
        StoreError: there is one; the message does not repeat its value, which may be a password.
    """
    known = _OF_THE_DRIVER | _OF_SQLITE | {"uri"}
    unknown = next((name for name in address.query if name not in known), None)
    if unknown is not None:
        raise StoreError(
            f"the address of a SQLite file has the parameter {unknown[:_SHOWN]!a}, which SQLite "
            f"does not take; leave it out, or use one of {', '.join(sorted(known))}"
        )
    of_sqlite = next((name for name in address.query if name in _OF_SQLITE), None)
    if of_sqlite is not None and not _is_uri(address):
        raise StoreError(
            f"the address of a SQLite file has the parameter {of_sqlite}, which it takes of a URI "
            f"alone; write sqlite:///file:NAME?{of_sqlite}=…&uri=true"
        )


def _is_uri(address: URL) -> bool:
    return str(address.query.get("uri", "")).lower() in _TRUE


def _escaped(path: str) -> str:
    """Return a path as SQLite reads it in an address of its own; `/` and letters stay."""
    path = path.replace("\\", "/") if os.name == "nt" else path
    path = f"/{path}" if re.match(r"[A-Za-z]:", path) else path
    return "".join(f"%{ord(each):02x}" if each in "%?#" else each for each in path)


def identity_of(path: Path | str | int) -> Identity | None:
    """Return which file is at a path; `None` if there is none.

    Raises:
        OSError: it cannot be looked at.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 – also of a descriptor
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Identity(found.st_dev, found.st_ino)


def opened_at(path: Path) -> Opened:
    """Return what was just opened at a path."""
    try:
        return Opened(path, identity_of(path))
    except OSError:
        return Opened(path, None)


def demand_file(url: str) -> None:
    """Do nothing if the file of a SQLite address is there, or if it is in memory.

    Raises:
        MissingError: there is no such file in a folder that is there.
        StoreError: there is no such folder, or it is no address.
    """
    path = path_of(url)
    if path is None or path.is_file():
        return
    if path.is_dir():
        raise StoreError(f"{path} is a folder; give the path of the database file in it")
    if not path.parent.is_dir():
        raise StoreError(
            f"there is no database file {path}, and no folder {path.parent}; check the path"
        )
    raise MissingError(
        f"there is no database file {path}; check the path, or to make the database, run sublife "
        f"migrate --store {shown_url(make_url(url))}"
    )


def may_write(path: Path) -> bool:
    """Return whether this process may write to a file or folder, by its rights and the mount."""
    if os.access in os.supports_effective_ids:
        return os.access(path, os.W_OK, effective_ids=True)
    return os.access(path, os.W_OK)


def can_change(path: Path) -> bool:
    """Return whether anybody at all can change a database: else its file may be read as it lies.

    SQLite needs its log and the index of it beside the file, even to read, unless it knows that
    nobody writes.
    """
    folder = path.parent
    try:
        if hasattr(os, "statvfs") and os.statvfs(folder).f_flag & os.ST_RDONLY:
            return False
        return bool(folder.stat().st_mode & 0o222)
    except OSError:
        return True


def read_only(address: URL, path: Path) -> URL:
    """Return the address by which the file at *path* is only read, and never made.

    Raises:
        StoreError: the file cannot be read, since its log cannot.
    """
    kept = dict(address.query)
    if not _is_uri(address):
        kept = {name: value for name, value in kept.items() if name in _OF_THE_DRIVER}
    kept |= {"uri": "true", "mode": "ro"}
    if _needs_no_log(path):
        kept["immutable"] = "1"
    return address.set(database=f"file:{_escaped(str(path))}", query=kept)


def _needs_no_log(path: Path) -> bool:
    """Return whether a file is to be read as it lies, without the log that SQLite keeps beside it.

    Raises:
        StoreError: there is a log, and it cannot be read.
    """
    if may_write(path.parent) or _size(path.with_name(f"{path.name}-shm")):
        return False
    if _size(path.with_name(f"{path.name}{_LOG}")):
        raise StoreError(
            f"{path} has a log, {path.name}{_LOG}, that cannot be read in a folder without the "
            "right to write; copy both files to another folder, and read the copy"
        )
    return not can_change(path)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
