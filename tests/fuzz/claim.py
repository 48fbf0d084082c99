"""What every reader of an input file must do, whatever the file holds."""

import random
import time
from collections.abc import Callable, Iterable

from sublife.events.printable import printable_lines

LONGEST = 2_000
"""Characters that a message may have."""
SECONDS = 5.0
"""CPU time that one input may take."""

Reader = Callable[[bytes], None]
Spoiler = Callable[[random.Random], bytes]


def check(read: Reader, errors: tuple[type[Exception], ...], content: bytes) -> None:
    """Read *content* and make sure that it is read or refused as documented.

    A refusal is one of *errors*, at most `LONGEST` characters long, and shows no control
    character; either takes at most `SECONDS` of CPU time.
    """
    started = time.process_time()
    try:
        read(content)
    except errors as error:
        said = str(error)
        assert said, "the message is empty"
        assert len(said) <= LONGEST, f"the message has {len(said)} characters: {said[:300]}"
        assert said == printable_lines(said), f"the message shows control characters: {said!a}"
    took = time.process_time() - started
    assert took < SECONDS, f"it took {took:.1f} s"


def check_many(
    read: Reader, errors: tuple[type[Exception], ...], spoil: Spoiler, *, count: int, seed: int
) -> None:
    """Make sure of it for *count* spoiled files; each has a seed of its own, printed on failure."""
    for number in range(count):
        own = f"{seed}:{number}"
        content = spoil(random.Random(own))  # noqa: S311 – not a secret
        try:
            check(read, errors, content)
        except BaseException as error:
            error.add_note(f"seed {own}; the input begins {content[:2000]!a}")
            raise


def check_corpus(
    read: Reader, errors: tuple[type[Exception], ...], corpus: Iterable[bytes]
) -> None:
    """Make sure of it for every input of a corpus."""
    for content in corpus:
        try:
            check(read, errors, content)
        except BaseException as error:
            error.add_note(f"the input begins {content[:2000]!a}")
            raise
