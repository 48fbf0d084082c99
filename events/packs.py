"""Reads policy packs; names file, line and remedy where one is broken."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import cast

from sublife.events.document import DocumentError, faulty, parse, read
from sublife.lifecycle import policies
from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.policy import Fault, Policy, PolicyError, Unit, policy_from

DEFAULT_PACK = "microsoft-csp"
_SHIPPED = Path(policies.__path__[0])
_OWN_KEYS = frozenset({"pack", "title", "extends", "choose", "switches", "figures"})


def shipped_packs() -> tuple[str, ...]:
    """Return the names of the packs that come with the engine."""
    return tuple(sorted(path.stem for path in _SHIPPED.glob("*.yaml")))


@cache
def load_pack(name: str = DEFAULT_PACK) -> Policy:
    """Return a shipped pack by its name, or a pack of one's own by the path of its file.

    Args:
        name: `microsoft-csp`, `microsoft-csp-est`, or a path that ends in `.yaml`.

    Raises:
        DocumentError: no such pack, or a broken one; every fault with file, line and remedy.
    """
    path = _path_of(name)
    text = read(path)
    content = parse(text, name=str(path))
    try:
        return policy_from(_resolved(content, path), figures=_figures(), switches=_switches())
    except PolicyError as error:
        raise faulty(str(path), text, error.faults) from error


def _path_of(name: str) -> Path:
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    if name in shipped_packs():
        return _SHIPPED / f"{name}.yaml"
    known = ", ".join(shipped_packs())
    remedy = f'no shipped pack "{name}"; use one of {known}, or the path of a .yaml file'
    raise DocumentError(name, [(0, remedy)])


def _resolved(content: Mapping[str, object], path: Path) -> Mapping[str, object]:
    """Return the pack on top of the one it extends, with its choices set."""
    unknown = [
        Fault((key,), f'unknown key "{key}"; use one of {", ".join(sorted(_OWN_KEYS))}')
        for key in content
        if key not in _OWN_KEYS
    ]
    if unknown:
        raise PolicyError(str(content.get("pack")), unknown)
    base = _base(content, path)
    figures = {**_part(base, "figures"), **_part(content, "figures")}
    switches = {**_part(base, "switches"), **_part(content, "switches")}
    for name, option in _part(content, "choose").items():
        if name not in switches:
            raise PolicyError(
                str(content.get("pack")),
                [Fault(("choose", name), f'no switch "{name}"; use one of {", ".join(switches)}')],
            )
        switches[name] = {**cast("Mapping[str, object]", switches[name]), "choose": option}
    named = {key: content[key] for key in ("pack", "title") if key in content}
    return {**named, "switches": switches, "figures": figures}


def _base(content: Mapping[str, object], path: Path) -> Mapping[str, object]:
    extends = content.get("extends")
    if extends is None:
        return {}
    name = str(extends)
    base = path.parent / name if name.endswith((".yaml", ".yml")) else _path_of(name)
    if base == path:
        raise PolicyError(str(content.get("pack")), [Fault(("extends",), "a pack extends another")])
    return _resolved(parse(read(base), name=str(base)), base)


def _part(content: Mapping[str, object], key: str) -> Mapping[str, object]:
    part = content.get(key, {})
    if not isinstance(part, Mapping):
        raise PolicyError(
            str(content.get("pack")), [Fault((key,), f"must be a mapping, not {part!r}")]
        )
    return cast("Mapping[str, object]", part)


def _figures() -> Mapping[str, Unit]:
    return {name: unit for each in LIFECYCLES.values() for name, unit in each.figures.items()}


def _switches() -> Mapping[str, tuple[str, ...]]:
    return {name: opts for each in LIFECYCLES.values() for name, opts in each.switches.items()}
