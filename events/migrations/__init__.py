"""The revisions of our tables, oldest first. A host's own Alembic never meets them."""

from pathlib import Path

REVISIONS = ("0.1.0", "0.2.0", "0.3.0")
"""Each is called after the release of sublife that brings it, so a database says what it needs."""

VERSION_TABLE = "sublife_schema"
"""Where a database keeps its revision; a host's Alembic keeps its own in `alembic_version`."""

SCRIPTS = Path(__file__).parent
"""The folder with `env.py` and `versions`."""
