"""Locks a database file itself on Linux, so that no link, move or deleted lock file gets around it.

It is a lock of flock(2), which on Linux has nothing to do with the locks that SQLite takes by
fcntl(2). Those have a trap: they are gone as soon as the process closes any descriptor of the
file, and with them a transaction under way. So a descriptor that was opened here is never closed
while the file exists; the next lock on the same file takes it again.
"""

import os
import sys
from pathlib import Path

from sublife.events.store.file import Identity, identity_of

_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs"})
"""File systems that make one kind of lock of the other: ours would keep SQLite out."""
_MOUNTS = Path("/proc/self/mountinfo")
_descriptors: dict[Identity, int] = {}


class Taken(Exception):  # noqa: N818 – an answer more than an error
    """Another descriptor, of this process or another one, holds the lock."""


def lock(path: Path, identity: Identity) -> bool:
    """Lock a file, unless its system cannot; return whether it is locked.

    Args:
        path: of the file.
        identity: of the file that is meant; one that has come in its place is not locked.

    Raises:
        Taken: another daemon holds it.
        OSError: it cannot be opened.
    """
    if sys.platform != "linux" or not _is_local(identity.device):
        return False
    import fcntl  # noqa: PLC0415 – not on every system

    _close_deleted()
    descriptor = _descriptors.get(identity)
    if descriptor is None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        _descriptors[identity_of(descriptor) or identity] = descriptor
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Taken from error
    except OSError:
        return False
    return identity in _descriptors


def unlock(identity: Identity) -> None:
    """Free a file again; its descriptor stays open."""
    if sys.platform == "linux" and (descriptor := _descriptors.get(identity)) is not None:
        import fcntl  # noqa: PLC0415 – not on every system

        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _close_deleted() -> None:
    """Close the descriptors of files that have no name left."""
    for identity, descriptor in list(_descriptors.items()):
        if not os.fstat(descriptor).st_nlink:
            os.close(_descriptors.pop(identity))


def _is_local(device: int) -> bool:
    """Return whether a device keeps the two kinds of locks apart."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = _MOUNTS.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return False
    for line in lines:
        place, _, sort = line.partition(" - ")
        if place.split()[2] == wanted:
            return sort.split()[0] not in _NETWORK
    return True


def _forget() -> None:
    """Leave the locks to the parent: a child that outlives it would hold them on."""
    while _descriptors:
        os.close(_descriptors.popitem()[1])


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
