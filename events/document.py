"""Reads a YAML document and knows the line of every value in it."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path as FilePath
from typing import Any, cast

import yaml

from sublife.events.content import ContentError, clear, read_text
from sublife.lifecycle.error import SublifeError
from sublife.lifecycle.policy import Fault, Path

_MERGE = "tag:yaml.org,2002:merge"
_STR = "tag:yaml.org,2002:str"
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


LARGEST = 1 << 18
"""Bytes that a YAML document may have; the longest that is shipped has 40 thousand."""
DEPTH = 64
"""So many lists and mappings may lie within each other."""
_EXPANDED = 100_000
"""Values that a document may have once every alias stands for what it repeats."""
_DIGITS = 30
"""Digits that a number may have."""
_EMPTY = "is empty; the document must be a mapping of keys to values"
_MESSAGE, _NAME, _ALL = 600, 200, 2000
"""Characters of one message, of a file's name, and of all messages together."""


class DocumentError(SublifeError, ValueError):
    """A document is wrong; each fault names file, line and remedy.

    What it says is short and shows no control character, whatever the document holds: messages
    that would make it longer are counted instead.

    Args:
        name: the file as the user named it.
        faults: line number (from 1; 0 if unknown) and message of every fault.
    """

    def __init__(self, name: str, faults: list[tuple[int, str]]) -> None:
        self.name = name
        self.faults = tuple(faults)
        super().__init__("\n".join(self.lines))

    @property
    def lines(self) -> tuple[str, ...]:
        """One line of text per fault: `file:line: message`; a count of those that are too many."""
        name = clear(self.name, _NAME)
        lines: list[str] = []
        left = _ALL - len(f"{name}: and {len(self.faults)} more mistakes")
        for number, (line, message) in enumerate(self.faults):
            where = f"{name}:{line}" if line else name
            said = f"{where}: {clear(message, _MESSAGE)}"
            left -= len(said) + 1
            if left < 0 and lines:
                lines.append(f"{name}: and {len(self.faults) - number} more mistakes")
                break
            lines.append(said)
        return tuple(lines)


def _wrong(problem: str, node: yaml.Node | None) -> yaml.constructor.ConstructorError:
    """Return the error for what is wrong at *node*, with a remedy."""
    mark: yaml.Mark | None = None if node is None else node.start_mark
    return yaml.constructor.ConstructorError(None, None, problem, mark)


class _ExactLoader(_Loader):  # type: ignore[misc]  # the C loader has no types
    """YAML with exact decimals, `true` and `false` as the only booleans, and no key twice."""

    _depth = 0

    def descend_resolver(self, parent: yaml.Node | None, index: Any) -> None:  # noqa: ARG002 – the loader calls it so
        """See that a node does not lie too deep; the loader calls this for every one."""
        self._depth += 1
        if self._depth > DEPTH:
            raise _wrong(f"is nested too deeply; {DEPTH} levels are the most", parent)

    def ascend_resolver(self) -> None:
        """Leave a node."""
        self._depth -= 1

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        """Build a mapping; a key that stands twice is an error."""
        if not isinstance(node, yaml.MappingNode):
            raise _wrong("expected a mapping of keys to values; write key: value", node)
        if any(key_node.tag == _MERGE for key_node, _ in node.value):
            own = [pair for pair in node.value if pair[0].tag != _MERGE]
            self._pairs(yaml.MappingNode(node.tag, own), deep=deep)
            self.flatten_mapping(node)
            return dict(self._constructed(node, deep=deep))
        return self._pairs(node, deep=deep)

    def _constructed(self, node: yaml.MappingNode, *, deep: bool) -> Iterator[tuple[Hashable, Any]]:
        for key_node, value_node in node.value:
            key: object = self._one(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise _wrong("a key must be a word, not a list or mapping", key_node)
            yield key, self._one(value_node, deep=deep)

    def _one(self, node: yaml.Node, *, deep: bool) -> Any:
        """Build the value of a node; most are text, which needs no building."""
        if node.tag == _STR and type(node) is yaml.ScalarNode:
            return node.value
        return self.construct_object(node, deep=deep)

    def resolve(self, kind: Any, value: str, implicit: Any) -> str:
        """Return the tag of a node; the same few words come again and again."""
        return (
            _tag(kind, value, implicit)
            if kind is yaml.ScalarNode
            else _plain.resolve(kind, value, implicit)
        )

    def _pairs(self, node: yaml.MappingNode, *, deep: bool) -> dict[Hashable, Any]:
        built: dict[Hashable, Any] = {}
        for number, (key, value) in enumerate(self._constructed(node, deep=deep)):
            if key in built:
                raise _wrong(f'key "{key}" stands twice; remove one', node.value[number][0])
            built[key] = value
        return built


def _decimal(loader: Any, node: yaml.ScalarNode) -> Decimal:
    text = str(loader.construct_scalar(node)).replace("_", "")
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise _wrong(f'"{text}" is no decimal number; write 12.50', node) from None
    if not found.is_finite() or abs(found.adjusted()) >= _DIGITS or len(text) > 2 * _DIGITS:
        raise _wrong(f'"{text}" is beyond every figure; write a number such as 12.50', node)
    return found


def _whole(loader: Any, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    try:
        found = int(loader.construct_yaml_int(node))
    except (ValueError, IndexError):
        found = None
    if found is None or len(text) > 4 * _DIGITS or abs(found) >= 10**_DIGITS:
        remedy = f"write a number of at most {_DIGITS} digits, or put a text in quotes"
        raise _wrong(f'"{text}" is not a whole number that can be used; {remedy}', node)
    return found


def _boolean(loader: Any, node: yaml.ScalarNode) -> bool:
    text = str(loader.construct_scalar(node))
    if text.lower() not in {"true", "false"}:
        raise _wrong(f'"{text}" is neither true nor false; write one of them', node)
    return text.lower() == "true"


def _timestamp(loader: Any, node: yaml.ScalarNode) -> object:
    text = str(loader.construct_scalar(node))
    if loader.timestamp_regexp.match(text) is None:
        raise _wrong(
            f'"{text}" is not a date or an instant; write 2024-10-01 or 2024-10-01T00:00:00Z', node
        )
    try:
        found: object = loader.construct_yaml_timestamp(node)
        if isinstance(found, datetime) and found.tzinfo is not None:
            found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        problem = f'"{text}" is no date or instant ({error}); fix the date or number'
        raise _wrong(problem, node) from None
    return found


def _text(loader: Any, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


def _list(loader: Any, node: yaml.Node) -> list[Any]:
    if not isinstance(node, yaml.SequenceNode):
        raise _wrong("expected a list; write [a, b]", node)
    return cast("list[Any]", loader.construct_sequence(node, deep=True))


def _map(loader: Any, node: yaml.MappingNode) -> dict[Hashable, Any]:
    return cast("dict[Hashable, Any]", loader.construct_mapping(node, deep=True))


def _unknown(_: Any, node: yaml.Node) -> object:
    tag = node.tag.removeprefix("tag:yaml.org,2002:")
    raise _wrong(f'"!!{tag}" is a tag that is not used here; leave it out', node)


_CONSTRUCTORS: dict[str, Callable[..., object]] = {
    "null": lambda *_: None,
    "bool": _boolean,
    "int": _whole,
    "float": _decimal,
    "timestamp": _timestamp,
    "str": _text,
    "seq": _list,
    "map": _map,
}
_ExactLoader.yaml_constructors = {
    None: _unknown,
    **{f"tag:yaml.org,2002:{name}": built for name, built in _CONSTRUCTORS.items()},
}
_ExactLoader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag != "tag:yaml.org,2002:bool" or first in "tTfF"
    ]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


class _Resolver(yaml.resolver.BaseResolver):
    """Tells the tag of a node without a document."""

    yaml_implicit_resolvers = _ExactLoader.yaml_implicit_resolvers


_plain: Any = _Resolver()


@lru_cache(maxsize=4096)
def _tag(kind: type[yaml.Node], value: str, implicit: tuple[bool, bool]) -> str:
    return str(_plain.resolve(kind, value, implicit))


def parse(text: str, *, name: str) -> Mapping[str, object]:
    """Return the mapping that a YAML text holds.

    Args:
        text: the document.
        name: the file as the user named it, for messages.

    Raises:
        DocumentError: it is no YAML, or no mapping, or says a key twice, or is too large or deep.
    """
    if not text.strip("\ufeff \t\r\n"):
        raise DocumentError(name, [(1, _EMPTY)])
    try:
        node, loaded = _loaded(text)
    except yaml.YAMLError as error:
        raise DocumentError(name, [_yaml_fault(error, text)]) from error
    except RecursionError as error:
        raise DocumentError(name, [(0, "an alias repeats itself; write it out")]) from error
    if node is None:
        raise DocumentError(
            name, [(1, "is empty; the document must be a mapping of keys to values")]
        )
    if not isinstance(loaded, dict):
        raise DocumentError(name, [(1, "the document must be a mapping of keys to values")])
    return cast("Mapping[str, object]", loaded)


def _loaded(text: str) -> tuple[yaml.Node | None, object]:
    """Return the node of a document and what it holds."""
    loader: Any = _ExactLoader(text)
    try:
        node: yaml.Node | None = loader.get_single_node()
        if node is None:
            return None, None
        if "*" in text and "&" in text:
            _measure(node)
        if any(each in text for each in _ZERO):
            _see_that_none_is_zero(node)
        return node, loader.construct_document(node)
    finally:
        loader.dispose()


def _measure(root: yaml.Node) -> None:
    """See that aliases do not repeat too much or themselves."""
    sizes: dict[int, int] = {}
    open_: set[int] = set()
    waiting: list[tuple[yaml.Node, bool]] = [(root, False)]
    while waiting:
        node, is_left = waiting.pop()
        key = id(node)
        if is_left:
            open_.discard(key)
            sizes[key] = 1 + sum(sizes.get(id(each), 1) for each in _inner(node))
            if sizes[key] > _EXPANDED:
                problem = f"its aliases repeat more than {_EXPANDED:,} values; write fewer"
                raise _wrong(problem, node)
        elif key in open_:
            raise _wrong("an alias repeats what it stands in; write it out", node)
        elif key not in sizes:
            open_.add(key)
            waiting.append((node, True))
            inner = _inner(node)
            waiting.extend([(each, False) for each in inner if type(each) is not yaml.ScalarNode])


_ZERO = ("\\0", "\\x00", "\\u0000", "\\U00000000")
"""How YAML may write U+0000."""


def _see_that_none_is_zero(root: yaml.Node) -> None:
    """See that no text has U+0000, which no database keeps."""
    waiting, seen = [root], set[int]()
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.ScalarNode):
            if "\x00" in node.value:
                raise _wrong("a text has the character U+0000; take it out", node)
        elif id(node) not in seen:
            seen.add(id(node))
            waiting.extend(_inner(node))


def _inner(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [each for pair in node.value for each in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def read(path: FilePath) -> str:
    """Return the text of a file.

    Raises:
        DocumentError: it cannot be read, is no UTF-8 text, or is larger than `LARGEST`.
    """
    try:
        return read_text(path, limit=LARGEST)
    except ContentError as error:
        raise DocumentError(str(path), [(error.line, str(error))]) from error


def _yaml_fault(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    position = getattr(error, "position", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    remedy = "" if "; " in problem else "; fix the YAML there"
    line = mark.line + 1 if mark else 0
    if isinstance(position, int) and not mark:
        line = text.count("\n", 0, position) + 1
    return line, f"{problem}{remedy}"


def line_of(text: str, path: Path) -> int:
    """Return the line (from 1) of the value at *path*, or of the nearest one above it; 0 if none.

    Parses again, with marks; meant for the rare document that has a fault.
    """
    return _line_in(_composed(text), path)


def _composed(text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=_ExactLoader)
    except yaml.YAMLError:
        return None


def _line_in(node: yaml.Node | None, path: Path) -> int:
    line = 0
    for step in path:
        following = _child(node, step)
        if following is None:
            break
        key, node = following
        line = key.start_mark.line + 1
    return line


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


_LOCATED = 200
"""Faults that get a line; a document with more is not read to the end anyway."""


def faulty(name: str, text: str, faults: tuple[Fault, ...] | list[Fault]) -> DocumentError:
    """Return the error for *faults* found in a document, each with its line, in line order."""
    node = _composed(text)
    found = {(_line_in(node, each.path), _described(each)): None for each in faults[:_LOCATED]}
    rest = [(0, _described(each)) for each in faults[_LOCATED:]]
    return DocumentError(name, [*sorted(found, key=lambda pair: pair[0]), *rest])


def _described(fault: Fault) -> str:
    where = ".".join(str(step) for step in fault.path)
    return f"{where}: {fault.message}" if where else fault.message
