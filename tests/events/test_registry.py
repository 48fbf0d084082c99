"""Our row classes keep apart from a host's of the same names."""

import pytest
from sqlalchemy import create_engine, inspect
from sqlmodel import Field, Relationship, Session, SQLModel, select

from sublife.events import tables
from sublife.events.store.schema import make_schema
from sublife.events.tables import Row, TokenRow, metadata

HOSTS: dict[str, type[SQLModel]] = {}


@pytest.fixture(scope="module", autouse=True)
def host_classes() -> None:
    """Declare classes of a host named like ours, related to each other by name."""

    class TokenRow(SQLModel, table=True):
        id: int | None = Field(default=None, primary_key=True)
        uses: list["UseRow"] = Relationship(back_populates="token")

    class UseRow(SQLModel, table=True):
        id: int | None = Field(default=None, primary_key=True)
        token_id: int | None = Field(default=None, foreign_key="tokenrow.id")
        token: "TokenRow" = Relationship(back_populates="uses")

    class SubjectRow(SQLModel, table=True):
        id: int | None = Field(default=None, primary_key=True)
        uses: list["JournalRow"] = Relationship(back_populates="subject")

    class JournalRow(SQLModel, table=True):
        id: int | None = Field(default=None, primary_key=True)
        subject_id: int | None = Field(default=None, foreign_key="subjectrow.id")
        subject: "SubjectRow" = Relationship(back_populates="uses")

    HOSTS.update({"TokenRow": TokenRow, "UseRow": UseRow})
    HOSTS.update({"SubjectRow": SubjectRow, "JournalRow": JournalRow})


@pytest.mark.parametrize("names", [("TokenRow", "UseRow"), ("SubjectRow", "JournalRow")])
def test_a_host_may_name_its_classes_as_we_name_ours(names: tuple[str, str]) -> None:
    """SQLAlchemy looks a related class up by its name, in the registry of the one that asks."""
    one, many = (HOSTS[name] for name in names)
    engine = create_engine("sqlite://")
    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(one(uses=[many(), many()]))
        session.commit()

        (found,) = session.exec(select(one)).all()

        assert len(found.uses) == 2  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownArgumentType, reportUnknownMemberType]
    engine.dispose()


def test_create_all_of_a_host_makes_none_of_our_tables() -> None:
    engine = create_engine("sqlite://")

    SQLModel.metadata.create_all(engine)

    assert not [name for name in inspect(engine).get_table_names() if name.startswith("sublife")]
    assert not SQLModel.metadata.tables.keys() & metadata.tables.keys()
    engine.dispose()


def test_all_our_rows_share_one_registry_that_is_not_sqlmodels() -> None:
    rows = [
        each for each in vars(tables).values() if isinstance(each, type) and issubclass(each, Row)
    ]

    ours = {id(each._sa_registry) for each in rows}  # pyright: ignore[reportPrivateUsage] – no other way to it

    assert len(rows) > 10
    assert len(ours) == 1
    assert ours != {id(SQLModel._sa_registry)}  # pyright: ignore[reportPrivateUsage] – as above
    assert TokenRow.metadata is metadata


def test_a_hosts_session_still_reads_our_rows() -> None:
    engine = create_engine("sqlite://")
    make_schema(engine)
    with Session(engine) as session:
        assert session.exec(select(TokenRow)).all() == []
    engine.dispose()
