"""An address that is wrong is shown without its password."""

import re

import pytest
from sqlalchemy import make_url

from sublife.events.store import StoreError
from sublife.events.store.database import open_engine
from sublife.events.store.secret import shown_address, shown_url


@pytest.mark.parametrize(
    "url",
    [
        "mysql://bob:s3cret@host/base",
        "mysql://bob:s3c@s3cret@host/base",
        "bob:s3cret@host",
        "sqlite+unknown://bob:s3cret@host/base",
        "mysql://host/base?password=s3cret",
        "postgresql://bob:s3cret@host:port/base",
    ],
)
def test_no_message_about_an_address_repeats_its_password(url: str) -> None:
    with pytest.raises(StoreError) as raised:
        open_engine(url)

    assert "s3c" not in str(raised.value)
    assert "postgresql://" in str(raised.value) or "sqlite://" in str(raised.value)


def test_an_address_without_a_secret_is_shown_whole() -> None:
    assert shown_address("mysql://host/base") == "mysql://host/base"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://bob:s3cret@host/base",
        "postgresql://host/base?password=s3cret&connect_timeout=2",
        "postgresql://host/base?sslpassword=s3cret",
    ],
)
def test_the_address_of_a_database_that_does_not_answer_is_shown_without_passwords(
    url: str,
) -> None:
    said = shown_url(make_url(url))

    assert "s3cret" not in said
    assert "host/base" in said


@pytest.mark.parametrize("text", ["a", "pass", "key_", "//", "https://", "//a:", "=", "token = "])
def test_an_address_of_any_length_is_shown_short(text: str) -> None:
    """Patterns that try each place of a long word again would take hours."""
    url = f"https://{text * 200_000}"

    assert len(shown_address(url)) < 1_100


def test_a_long_address_is_shown_without_the_password_at_its_end() -> None:
    assert "s3cret" not in shown_address(f"postgresql://{'a' * 5_000}:s3cret@host/base")


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("sqlite:///a.db?password=s3cret", "has the parameter 'password', which SQLite does not"),
        ("sqlite:///file:a.db?uri=true&key=s3cret", "has the parameter 'key'"),
        ("sqlite:///a.db?prepare_threshold=none", "has the parameter 'prepare_threshold'"),
        ("sqlite:///a.db?mode=ro", "write sqlite:///file:NAME?mode=…&uri=true"),
    ],
)
@pytest.mark.parametrize("reading", [False, True])
def test_a_parameter_without_an_effect_is_refused(url: str, remedy: str, reading: bool) -> None:
    """SQLAlchemy would warn of it, with its value, and open another database than was meant."""
    with pytest.raises(StoreError, match=re.escape(remedy)) as raised:
        open_engine(url, reading=reading)

    assert "s3cret" not in str(raised.value)
