"""Bearer tokens: kept by their hash, valid for a while, told apart in constant time."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from sublife.events.store import Store
from sublife.events.tables import TokenRow
from sublife.events.token import (
    Role,
    Token,
    TokenError,
    UnknownTokenError,
    id_of,
    is_text_of,
    new_token,
)

if TYPE_CHECKING:
    from tests.events.conftest import Desk

NOW = datetime(2024, 10, 1, tzinfo=UTC)
RANDOM = bytes(range(40))


def made(random: bytes = RANDOM, **more: Any) -> tuple[Token, str]:
    given: dict[str, Any] = {
        "tenant": "acme",
        "role": Role.READ,
        "label": "billing",
        "now": NOW,
        "created_by": "amy",
    }
    return new_token(random, **{**given, **more})


def test_a_token_is_known_by_its_text_alone() -> None:
    token, text = made()
    other, other_text = made(bytes(reversed(RANDOM)))

    assert text.startswith(f"sublife_{token.id}_")
    assert id_of(text) == token.id == RANDOM[:8].hex()
    assert is_text_of(token, text)
    assert not is_text_of(token, other_text)
    assert not is_text_of(other, text)
    assert not is_text_of(None, text)
    for wrong in ("", text[:-1], f"{text}=", text.upper(), f" {text}", f"{text}\n"):
        assert not is_text_of(token, wrong)


def test_the_id_of_one_token_with_the_secret_of_another_is_none() -> None:
    token, text = made()
    other, _ = made(bytes(reversed(RANDOM)))

    assert not is_text_of(token, f"sublife_{other.id}_{text[-43:]}")
    assert not is_text_of(other, f"sublife_{other.id}_{text[-43:]}")


def test_what_is_kept_does_not_tell_the_secret(desk: "Desk") -> None:
    token, text = made()

    desk.store.tokens.add(token)

    with desk.store.engine.begin() as connection:
        row = connection.execute(select(TokenRow)).one()
    assert text[-43:] not in str(row)
    assert RANDOM[8:].hex() not in str(row)
    assert token.hash not in repr(token)


def test_a_token_comes_back_as_it_was_kept(desk: "Desk") -> None:
    first, _ = made()
    second, _ = made(bytes(40), tenant=None, role=Role.ADMIN, expires_at=NOW + timedelta(days=1))
    tokens = desk.store.tokens
    before = tokens.is_empty()

    tokens.add(first)
    tokens.add(second)

    assert (before, tokens.is_empty()) == (True, False)
    assert tokens.find(first.id) == first
    assert tokens.find(second.id) == second
    assert tokens.find("0123") is None
    assert set(tokens.all()) == {first, second}
    assert desk.store.of("other").tokens.find(first.id) == first


def test_a_revoked_token_is_valid_no_longer_and_stays_known(desk: "Desk") -> None:
    token, _ = made()
    desk.store.tokens.add(token)

    revoked = desk.store.tokens.revoke(token.id, NOW + timedelta(hours=1))
    again = desk.store.tokens.revoke(token.id, NOW + timedelta(hours=2))

    assert revoked == again
    assert revoked.revoked_at == NOW + timedelta(hours=1)
    assert revoked.is_valid(NOW)
    assert not revoked.is_valid(NOW + timedelta(hours=1))
    assert not desk.store.tokens.is_empty()


def test_a_token_that_is_not_there_cannot_be_revoked(desk: "Desk") -> None:
    with pytest.raises(UnknownTokenError, match='there is no token "0123"'):
        desk.store.tokens.revoke("0123", NOW)


def test_a_token_is_valid_until_it_expires() -> None:
    token, _ = made(expires_at=NOW + timedelta(days=1))

    assert token.is_valid(NOW + timedelta(days=1) - timedelta.resolution)
    assert not token.is_valid(NOW + timedelta(days=1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"label": ""},
        {"label": " "},
        {"label": "x" * 101},
        {"label": "a\nb"},
        {"tenant": ""},
        {"tenant": "\x00"},
        {"expires_at": NOW},
        {"random": bytes(39)},
    ],
)
def test_a_token_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(TokenError):
        made(**wrong)


def test_each_role_may_do_what_those_before_it_may() -> None:
    covers = {(a, b) for a in Role for b in Role if a.covers(b)}

    assert covers == {
        (Role.READ, Role.READ),
        (Role.OPERATE, Role.READ),
        (Role.OPERATE, Role.OPERATE),
        (Role.ADMIN, Role.READ),
        (Role.ADMIN, Role.OPERATE),
        (Role.ADMIN, Role.ADMIN),
    }


def test_tokens_of_one_database_are_none_of_another(desk: "Desk") -> None:
    desk.store.tokens.add(made()[0])
    other = Store.open("sqlite://", clock=desk.clock)

    assert other.tokens.is_empty()
    other.close()
