"""Reads policy packs; names file, line and remedy where one is broken."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

from sublife.events.document import DocumentError, faulty, parse, read
from sublife.lifecycle import policies
from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.policy import Fault, Policy, PolicyError, Unit, policy_from
from sublife.lifecycle.policy import Path as FaultPath

DEFAULT_PACK = "microsoft-csp"
_SHIPPED = Path(policies.__path__[0])
_OWN_KEYS = frozenset({"pack", "title", "extends", "choose", "switches", "figures", "regions"})


def shipped_packs() -> tuple[str, ...]:
    """Return the names of the packs that come with the engine."""
    return tuple(sorted(path.stem for path in _SHIPPED.glob("*.yaml")))


@cache
def load_pack(name: str = DEFAULT_PACK) -> Policy:
    """Return a shipped pack by its name, or a pack of one's own by the path of its file.

    Args:
        name: `microsoft-csp`, `microsoft-csp-est`, or a path that ends in `.yaml`; a file is read
            once per process.

    Raises:
        DocumentError: no such pack, or a broken one; every fault with file, line and remedy.
    """
    chain = _chain(_path_of(name))
    try:
        content = _resolved(chain)
        return policy_from(content, figures=_figures(), switches=_switches(), limits=_limits())
    except PolicyError as error:
        raise _located(chain, error.faults) from error


@dataclass(frozen=True, slots=True)
class _Document:
    """One file of a pack."""

    path: Path
    text: str
    content: Mapping[str, object]

    def says(self, path: FaultPath) -> bool:
        """Return whether the place of a fault stands in this file."""
        part = self.content.get(str(path[0])) if path else None
        return len(path) < _NAMED or (isinstance(part, Mapping) and path[1] in part)


def _document(path: Path) -> _Document:
    text = read(path)
    return _Document(path, text, parse(text, name=str(path)))


_shipped = cache(_document)
"""Packs that come with the engine do not change while a process runs."""
_LONGEST_CHAIN = 16
"""Packs that may extend one another."""
_NAMED = 2
"""So many steps name a figure or switch: its part and its name."""


def _chain(path: Path) -> tuple[_Document, ...]:
    """Return a pack's file and those it extends, the nearest first."""
    documents: list[_Document] = []
    while True:
        document = _shipped(path) if path.parent == _SHIPPED else _document(path)
        documents.append(document)
        if "extends" not in document.content:
            return tuple(documents)
        name = document.content["extends"]
        if not isinstance(name, str) or not name.strip():
            said = f"{name!r} is not a pack; write the name of one, or the path of a .yaml file"
            raise faulty(str(document.path), document.text, [Fault(("extends",), said)])
        if len(documents) == _LONGEST_CHAIN:
            said = f"more than {_LONGEST_CHAIN} packs extend each other; put some of them together"
            raise faulty(str(document.path), document.text, [Fault(("extends",), said)])
        try:
            path = path.parent / name if name.endswith((".yaml", ".yml")) else _path_of(name)
        except DocumentError as error:
            said = error.faults[0][1]
            raise faulty(str(document.path), document.text, [Fault(("extends",), said)]) from error
        if any(each.path.resolve() == path.resolve() for each in documents):
            fault = Fault(("extends",), f'"{name}" extends this pack again; name another')
            raise faulty(str(document.path), document.text, [fault])


def _located(chain: tuple[_Document, ...], faults: Iterable[Fault]) -> DocumentError:
    """Return the error for the first file of *chain* that has faults, with their lines."""
    by_file: dict[Path, list[Fault]] = {}
    for fault in faults:
        found = _as_written(chain[0], fault)
        place = next((each for each in chain if each.says(found.path)), chain[0])
        by_file.setdefault(place.path, []).append(found)
    first = next(each for each in chain if each.path in by_file)
    return faulty(str(first.path), first.text, by_file[first.path])


def _as_written(document: _Document, fault: Fault) -> Fault:
    """Return a fault of a choice at the place where the pack makes it."""
    match fault.path:
        case ("switches", name, "choose") if document.says(("choose", name)):
            return Fault(("choose", name), fault.message)
        case _:
            return fault


def _path_of(name: str) -> Path:
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    if name in shipped_packs():
        return _SHIPPED / f"{name}.yaml"
    known = ", ".join(shipped_packs())
    remedy = f'no shipped pack "{name}"; use one of {known}, or the path of a .yaml file'
    raise DocumentError(name, [(0, remedy)])


def _resolved(chain: tuple[_Document, ...]) -> Mapping[str, object]:
    """Return the pack on top of those it extends, with its choices set."""
    figures: dict[str, object] = {}
    switches: dict[str, object] = {}
    regions: dict[str, object] = {}
    for document in reversed(chain):
        content = document.content
        unknown = [
            Fault((key,), f'unknown key "{key}"; use one of {", ".join(sorted(_OWN_KEYS))}')
            for key in content
            if key not in _OWN_KEYS
        ]
        if unknown:
            raise PolicyError(str(content.get("pack")), unknown)
        figures.update(_part(content, "figures"))
        switches.update(_part(content, "switches"))
        regions.update(_part(content, "regions"))
        for name, option in _part(content, "choose").items():
            switches[name] = _chosen(content, name, option, switches)
    top = chain[0].content
    named = {key: top[key] for key in ("pack", "title") if key in top}
    dated = {"regions": regions} if regions else {}
    return {**named, "switches": switches, "figures": figures, **dated}


def _chosen(
    content: Mapping[str, object], name: str, option: object, switches: Mapping[str, object]
) -> Mapping[str, object]:
    """Return a switch with the option that a pack chooses."""
    switch = switches.get(name)
    if not isinstance(switch, Mapping):
        known = ", ".join(map(str, switches))
        fault = Fault(("choose", name), f'no switch "{name}"; use one of {known}')
        raise PolicyError(str(content.get("pack")), [fault])
    return {**cast("Mapping[str, object]", switch), "choose": option}


def _part(content: Mapping[str, object], key: str) -> Mapping[str, object]:
    part = content.get(key, {})
    if not isinstance(part, Mapping):
        raise PolicyError(
            str(content.get("pack")), [Fault((key,), f"must be a mapping, not {part!r}")]
        )
    return cast("Mapping[str, object]", part)


def _figures() -> Mapping[str, Unit]:
    return {name: unit for each in LIFECYCLES.values() for name, unit in each.figures.items()}


def _limits() -> Mapping[str, tuple[int, int]]:
    return {name: limit for each in LIFECYCLES.values() for name, limit in each.limits.items()}


def _switches() -> Mapping[str, tuple[str, ...]]:
    return {name: opts for each in LIFECYCLES.values() for name, opts in each.switches.items()}
