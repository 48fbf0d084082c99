"""Reads a body as JSON in UTF-8: each name of an object once, and no token in it."""

import json
from typing import Any

from fastapi import Request

from sublife.events.jsontext import JsonError, check_depth
from sublife.events.token import has_token
from sublife.scheduler.api.brief import shown
from sublife.scheduler.api.problem import Problem

_MISPLACED = "revoke that token, and send the next one in the header Authorization alone"


class Document(Request):
    """A request whose body is read strictly."""

    async def json(self) -> Any:
        """Return the body as JSON.

        Raises:
            Problem: 400, where it is no such text.
        """
        if not hasattr(self, "_json"):
            self._json = read(await self.body())
        return self._json


def read(body: bytes) -> Any:
    """Return what a body says.

    A name that stands twice is refused: which of the two counts differs from reader to reader.

    Raises:
        Problem: 400, where it is no JSON in UTF-8, or carries a token.
    """
    try:
        text = body.decode("utf-8-sig")
        found: Any = json.loads(text, object_pairs_hook=_once)
        check_depth(found, text)
        escaped = "\\" in text and has_token(json.dumps(found, ensure_ascii=False))
    except UnicodeDecodeError as error:
        sentence = f"the body is not UTF-8 at byte {error.start}; send one JSON object in UTF-8"
        raise Problem(400, "BAD_REQUEST", sentence) from error
    except (RecursionError, JsonError) as error:
        sentence = "the body is nested too deep; send a flatter one"
        raise Problem(400, "BAD_REQUEST", sentence) from error
    except json.JSONDecodeError as error:
        sentence = f"the body is not valid JSON at line {error.lineno}, column {error.colno}"
        raise Problem(400, "BAD_JSON", f"{sentence}: {error.msg}; correct it") from error
    except ValueError as error:  # a whole number of more digits than Python reads
        sentence = "the body has a number of too many digits; give a smaller one"
        raise Problem(400, "BAD_JSON", sentence) from error
    if escaped or has_token(text):
        raise misplaced("the body")
    return found


def misplaced(where: str) -> Problem:
    """Return that a token stands where it may be logged or stored."""
    return Problem(400, "TOKEN_MISPLACED", f"a token stands in {where}; {_MISPLACED}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        name = next(each for number, each in enumerate(names) if each in names[:number])
        sentence = f"the name {shown(name)} stands twice in one object; send it once"
        raise Problem(400, "BAD_JSON", sentence)
    return found
