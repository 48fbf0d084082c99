"""What all tests share: a real PostgreSQL that comes as a wheel."""

import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.cluster import Databases

if "XDG_RUNTIME_DIR" not in os.environ:
    # The database server keeps its locks there and warns where there is none.
    runtime = Path(tempfile.gettempdir(), f"sublife-tests-{os.getuid()}")
    runtime.mkdir(mode=0o700, exist_ok=True)
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)

pytest_plugins = ["pytester"]

# How fast a machine makes inputs says nothing about the code: a busy one may take its time.
settings.register_profile("sublife", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sublife")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each property of a module that has sizes: a soak run tries more examples of it."""
    for item in items:
        is_property = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
        if is_property and hasattr(getattr(item, "module", None), "sized"):
            item.add_marker(pytest.mark.soak)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape what UTF-8 cannot write in what a test has logged or printed: processes pass it on."""
    report = yield
    report.sections = [
        (name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections
    ]
    return report


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a PostgreSQL server of this test process alone.

    It does not wait for the disk: a test that ends the server on purpose starts one of its own.
    """
    from tests.cluster import running_server  # noqa: PLC0415 – most tests need no database server

    with running_server() as address:
        yield address


@pytest.fixture(scope="session")
def databases(postgresql: str) -> "Databases":
    """Databases with the tables of a store."""
    from sublife.events.store.upgrade import upgrade  # noqa: PLC0415 – as above
    from tests.cluster import Databases  # noqa: PLC0415 – as above

    return Databases(postgresql, upgrade)


@pytest.fixture
def migrated_database(databases: "Databases") -> Iterator[str]:
    """The address of a database whose tables are there and empty."""
    with databases.one() as address:
        yield address


@pytest.fixture
def empty_database(postgresql: str) -> Iterator[str]:
    """The address of a new database without tables."""
    from tests.cluster import (  # noqa: PLC0415 – as above
        create_database,
        database_url,
        drop_database,
    )

    name = create_database(postgresql)
    yield database_url(postgresql, name)
    drop_database(postgresql, name)
