"""Finds the policies by which journal rows were decided, by the id and hash that stand on them."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from sublife.events.packs import load_pack, shipped_packs
from sublife.lifecycle.policy import Policy


def policies_named(versions: Iterable[str], given: Iterable[Policy]) -> Mapping[str, Policy]:
    """Return the policies of *versions* that are at hand, by version (GEN-09).

    A pack is tried as it is, then with every other reading of its switches that could have been
    chosen.

    Args:
        versions: id and content hash, as they stand on journal rows.
        given: packs of one's own; the shipped ones are at hand anyway.
    """
    wanted = set(versions)
    packs = {each.version: each for each in (*given, *map(load_pack, shipped_packs()))}
    found = {version: packs[version] for version in wanted & packs.keys()}
    for pack in packs.values():
        if any(version.startswith(f"{pack.id}@") for version in wanted - found.keys()):
            found |= {each.version: each for each in _readings(pack) if each.version in wanted}
    return found


def _readings(pack: Policy) -> Iterator[Policy]:
    """Yield a pack with every choice there is of its switches."""
    names = sorted(pack.switches)
    for options in product(*(pack.switches[name].since for name in names)):
        yield pack.choosing(dict(zip(names, options, strict=True)))
