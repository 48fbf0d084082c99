"""Bearer tokens of the HTTP interface: who may use it, in which role, for which tenant."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sublife.lifecycle.error import SublifeError
from sublife.lifecycle.model import utc

MARK = "sublife"
"""How every token begins, so that a search finds one that lies where it should not."""
VIA = " by way of "
"""Stands between who acts and the token that asks, in the actor of a change (EVT-06)."""
SECRET_BYTES = 32
_ID_BYTES = 8
_FORM = re.compile(rf"{MARK}_([0-9a-f]{{{2 * _ID_BYTES}}})_([A-Za-z0-9_-]{{43}})")
_LOOSE = re.compile(
    rf"{MARK}(?:_|%5F)[0-9a-f]{{{2 * _ID_BYTES}}}(?:_|%5F)[\w%-]+", re.ASCII | re.IGNORECASE
)
"""The form of a token wherever it stands: also escaped for an address, cut off, or misspelt."""
_NOBODYS = hashlib.sha256(b"").hexdigest()
_LONGEST = 100


class TokenError(SublifeError, ValueError):
    """A token cannot be as it was asked for; nothing was changed."""


class UnknownTokenError(TokenError):
    """There is no token of that id."""


class Role(StrEnum):
    """What a token may do; each role may do what those before it may."""

    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"

    def covers(self, needed: "Role") -> bool:
        """Return whether this role may do what *needed* may."""
        order = tuple(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as it is kept: its secret is known by its hash alone.

    Args:
        id: public; it stands in the token itself, in lists and in the actor of every change.
        tenant: whose rows it gives access to; `None` for what concerns the whole installation,
            and the rows of no tenant.
        role: what it may do.
        label: what it is for.
        hash: SHA-256 of the secret part, in hexadecimal.
        created_at: UTC instant.
        created_by: who made it.
        expires_at: UTC instant from which it is no longer valid.
        revoked_at: UTC instant from which it is no longer valid.
    """

    id: str
    tenant: str | None
    role: Role
    label: str
    hash: str = field(repr=False)
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_valid(self, at: datetime) -> bool:
        """Return whether it may be used at a UTC instant."""
        ends = [each for each in (self.expires_at, self.revoked_at) if each is not None]
        return all(at < end for end in ends)


def new_token(
    random: bytes,
    *,
    tenant: str | None,
    role: Role,
    label: str,
    now: datetime,
    created_by: str,
    expires_at: datetime | None = None,
) -> tuple[Token, str]:
    """Return a token as it is kept, and the text that its user keeps.

    Args:
        random: 40 random bytes, such as `secrets.token_bytes(40)`: 8 for the id, 32 for the
            secret.
        tenant: whose rows it gives access to; `None` for the installation.
        role: what it may do.
        label: what it is for.
        now: UTC instant.
        created_by: who makes it.
        expires_at: UTC instant from which it is no longer valid; never if not given.

    Raises:
        TokenError: the label, the tenant or the end cannot stand.
    """
    if len(random) != _ID_BYTES + SECRET_BYTES:
        raise TokenError(
            f"a token of {len(random)} random bytes cannot be; give {_ID_BYTES + SECRET_BYTES}"
        )
    _check_name("label", label)
    if VIA in label:
        raise TokenError(f'the label {label!r} has "{VIA}", which joins two actors; reword it')
    if tenant is not None:
        _check_name("tenant", tenant)
    if expires_at is not None and utc(expires_at, name="expires_at") <= now:
        raise TokenError(f'token "{label}" would have expired already; let it end later')
    identifier = random[:_ID_BYTES].hex()
    secret = urlsafe_b64encode(random[_ID_BYTES:]).decode().rstrip("=")
    token = Token(
        id=identifier,
        tenant=tenant,
        role=role,
        label=label,
        hash=_hashed(secret),
        created_at=now,
        created_by=created_by,
        expires_at=None if expires_at is None else utc(expires_at),
    )
    return token, f"{MARK}_{identifier}_{secret}"


def _check_name(what: str, name: str) -> None:
    if not (name.strip() and name.isprintable() and len(name) <= _LONGEST):
        raise TokenError(
            f"the {what} {name!r} cannot be; give 1 to {_LONGEST} printable characters"
        )


def id_of(text: str) -> str | None:
    """Return the id that a token's text carries; `None` if it is no token of ours."""
    found = _FORM.fullmatch(text)
    return found[1] if found else None


def has_token(text: str) -> bool:
    """Return whether the text of a token, or the beginning of one, stands somewhere in *text*."""
    return MARK in text.lower() and _LOOSE.search(text) is not None


def without_tokens(text: str) -> str:
    """Return *text* with `***` in the place of every token, also where one is cut off."""
    return _LOOSE.sub(f"{MARK}_***", text) if MARK in text.lower() else text


def is_text_of(token: Token | None, text: str) -> bool:
    """Return whether *text* is the text of *token*; it takes as long where there is none."""
    found = _FORM.fullmatch(text)
    secret = found[2] if found else ""
    matches = hmac.compare_digest(_hashed(secret), token.hash if token else _NOBODYS)
    return matches and token is not None and found is not None and found[1] == token.id


def _hashed(secret: str) -> str:
    """Return the SHA-256 of a secret; it has 256 random bits, so no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()
