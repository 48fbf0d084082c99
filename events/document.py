"""Reads a YAML document and knows the line of every value in it."""

from collections.abc import Hashable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path as FilePath
from typing import Any, cast

import yaml

from sublife.lifecycle.policy import Fault, Path

_MERGE = "tag:yaml.org,2002:merge"
_STR = "tag:yaml.org,2002:str"
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class DocumentError(ValueError):
    """A document is wrong; each fault names file, line and remedy.

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
        """One line of text per fault: `file:line: message`."""
        return tuple(
            f"{self.name}:{line}: {message}" if line else f"{self.name}: {message}"
            for line, message in self.faults
        )


class _ExactLoader(_Loader):  # type: ignore[misc]  # the C loader has no types
    """YAML with exact decimals, `true` and `false` as the only booleans, and no key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        """Build a mapping; a key that stands twice is an error."""
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
                raise yaml.constructor.ConstructorError(
                    None, None, "a key must be a word, not a list or mapping", key_node.start_mark
                )
            yield key, self._one(value_node, deep=deep)

    def _one(self, node: yaml.Node, *, deep: bool) -> Any:
        """Build the value of a node; most are text, which needs no building."""
        return node.value if node.tag == _STR else self.construct_object(node, deep=deep)

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
                raise yaml.constructor.ConstructorError(
                    None,
                    None,
                    f'key "{key}" stands twice; remove one',
                    node.value[number][0].start_mark,
                )
            built[key] = value
        return built


def _decimal(loader: Any, node: yaml.ScalarNode) -> Decimal:
    text = str(loader.construct_scalar(node)).replace("_", "")
    try:
        return Decimal(text)
    except InvalidOperation:
        raise yaml.constructor.ConstructorError(
            None, None, f'"{text}" is no decimal number; write 12.50', node.start_mark
        ) from None


def _timestamp(loader: Any, node: yaml.ScalarNode) -> object:
    try:
        return loader.construct_yaml_timestamp(node)
    except ValueError as error:
        problem = f'"{node.value}" is no date or instant ({error}); mend the date or number'
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None


def _map(loader: Any, node: yaml.MappingNode) -> dict[Hashable, Any]:
    return cast("dict[Hashable, Any]", loader.construct_mapping(node, deep=True))


_ExactLoader.add_constructor("tag:yaml.org,2002:float", _decimal)
_ExactLoader.add_constructor("tag:yaml.org,2002:map", _map)
_ExactLoader.add_constructor("tag:yaml.org,2002:timestamp", _timestamp)
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
        DocumentError: it is no YAML, or no mapping, or says a key twice.
    """
    try:
        loaded: object = yaml.load(text, Loader=_ExactLoader)  # noqa: S506 – a safe loader
    except yaml.YAMLError as error:
        raise DocumentError(name, [_yaml_fault(error)]) from error
    except ValueError as error:
        raise DocumentError(name, [(0, f"{error}; mend the date or number")]) from error
    if not isinstance(loaded, dict):
        raise DocumentError(name, [(1, "the document must be a mapping of keys to values")])
    return cast("Mapping[str, object]", loaded)


def read(path: FilePath) -> str:
    """Return the text of a file.

    Raises:
        DocumentError: it cannot be read, or is no UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DocumentError(str(path), [(0, "is no UTF-8 text; save it as UTF-8")]) from error
    except OSError as error:
        raise DocumentError(str(path), [(0, f"cannot be read: {error.strerror}")]) from error


def _yaml_fault(error: yaml.YAMLError) -> tuple[int, str]:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    remedy = "" if "; " in problem else "; mend the YAML there"
    return (mark.line + 1 if mark else 0), f"{problem}{remedy}"


def line_of(text: str, path: Path) -> int:
    """Return the line (from 1) of the value at *path*, or of the nearest one above it; 0 if none.

    Parses again, with marks; meant for the rare document that has a fault.
    """
    node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
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


def faulty(name: str, text: str, faults: tuple[Fault, ...] | list[Fault]) -> DocumentError:
    """Return the error for *faults* found in a document, each with its line, in line order."""
    located = {(line_of(text, fault.path), _described(fault)): None for fault in faults}
    return DocumentError(name, sorted(located, key=lambda pair: pair[0]))


def _described(fault: Fault) -> str:
    where = ".".join(str(step) for step in fault.path)
    return f"{where}: {fault.message}" if where else fault.message
