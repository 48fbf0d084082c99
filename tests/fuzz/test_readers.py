"""Every kind of input file, spoiled in thousands of ways: it is read, or refused as documented."""

import random
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from itertools import count, islice
from pathlib import Path

import pytest

from sublife.events.document import DocumentError
from sublife.events.inbound import Import
from sublife.events.inbound.target import Target
from sublife.events.packs import load_pack
from sublife.events.printable import printable_lines
from sublife.events.store import Store
from sublife.scheduler.clock import SimulatedClock
from sublife.scheduler.replay.result import ReplayError
from sublife.scheduler.replay.runner import run
from sublife.scheduler.scenario import load, loads
from sublife.scheduler.settings import SettingsError
from sublife.scheduler.settings import load as load_settings
from tests.fuzz import corpus
from tests.fuzz.claim import LONGEST, Reader, check_corpus, check_many
from tests.fuzz.mutation import NASTY_CELLS, NASTY_JSON, NASTY_SCALARS, NASTY_TOML, spoiled
from tests.scale import sized

ROOT = Path(__file__).parents[2]
SEED = 20240930
COUNT = sized(150, 10_000)
EXPORTED_AT = datetime(2024, 12, 5, 8, tzinfo=UTC)
ERRORS = (DocumentError, ReplayError, SettingsError)
SETTINGS = b"""\
store = "sqlite:///x.db"
policy = "microsoft-csp"
beat_seconds = 2.5
workers = 4
deliver = true
listen = "127.0.0.1:8321"
log_level = "info"
nats_duplicate_minutes = 10
"""
_runs = count(1)


@cache
def good(folder: str, pattern: str, *, packs: bool = False) -> tuple[bytes, ...]:
    """Return the content of every shipped file that fits."""
    found = (each for each in (ROOT / folder).rglob(pattern) if ("packs" in each.parts) is packs)
    return tuple(each.read_bytes() for each in sorted(found))


def _scenario(path: Path) -> Reader:
    """Return what loads a scenario and, if it can be loaded, replays it."""
    store = Store.open("sqlite://", clock=SimulatedClock(datetime(2000, 1, 1, tzinfo=UTC)))

    def read(content: bytes) -> None:
        path.write_bytes(content)
        run(load(path), store, tenant=f"fuzz {next(_runs)}")

    return read


def _pack(path: Path) -> Reader:
    def read(content: bytes) -> None:
        path.write_bytes(content)
        load_pack.__wrapped__(str(path))

    return read


def _import(path: Path) -> Reader:
    """Return what imports a file, changing nothing, and looks at what is said of each row."""
    store = Store.open("sqlite://", clock=SimulatedClock(EXPORTED_AT))

    def read(content: bytes) -> None:
        path.write_bytes(content)
        going = Import([path], Target(store, EXPORTED_AT, "contoso", "tailspin"), is_check=True)
        with closing(going.rows()) as rows:
            for told in rows:
                assert len(printable_lines(told.verdict.said)) <= LONGEST
        assert store.is_empty()

    return read


def _resource(path: Path) -> Reader:
    """Return what loads a scenario that begins with an exported resource."""
    text = (
        "title: A resource\nrules: [SUB-02]\n"
        "given: [{subject: s1, at: 2024-12-05T08:00:00Z, customer: tailspin, partner: contoso,\n"
        f"         resource: {path.name}}}]\n"
        "steps: [{at: 2024-12-06T00:00:00Z, subject: s1, expect: {state: active}}]\n"
    )
    store = Store.open("sqlite://", clock=SimulatedClock(datetime(2000, 1, 1, tzinfo=UTC)))

    def read(content: bytes) -> None:
        path.write_bytes(content)
        run(loads(text, path.with_name("given.yaml")), store, tenant=f"fuzz {next(_runs)}")

    return read


def _settings(path: Path) -> Reader:
    def read(content: bytes) -> None:
        path.write_bytes(content)
        load_settings(path)

    return read


def _spoil_scenario(random_: random.Random) -> bytes:
    return spoiled(random_.choice(good("scenarios", "*.yaml")), random_, NASTY_SCALARS, ":[-{")


def _spoil_pack(random_: random.Random) -> bytes:
    packs = good("scenarios", "*.yaml", packs=True)
    return spoiled(random_.choice((*packs, *corpus.PACKS)), random_, NASTY_SCALARS, ":[-{")


def _spoil_json(random_: random.Random) -> bytes:
    exports = (*good("examples", "*.json"), *good("examples", "*.jsonl"), *corpus.EXPORTS)
    return spoiled(random_.choice(exports), random_, NASTY_JSON, ":[{")


def _spoil_resource(random_: random.Random) -> bytes:
    return spoiled(corpus.RESOURCE, random_, NASTY_JSON, ":[{")


def _spoil_csv(random_: random.Random) -> bytes:
    sheets = (*good("examples", "*.csv"), *corpus.SHEETS)
    return spoiled(random_.choice(sheets), random_, NASTY_CELLS, ",;\n")


def _spoil_settings(random_: random.Random) -> bytes:
    return spoiled(SETTINGS, random_, NASTY_TOML, "=")


KINDS: dict[str, tuple[str, Callable[[Path], Reader], Callable[[random.Random], bytes]]] = {
    "scenario": ("fuzz.yaml", _scenario, _spoil_scenario),
    "pack": ("fuzz.yaml", _pack, _spoil_pack),
    "json": ("fuzz.json", _import, _spoil_json),
    "resource": ("fuzz.json", _resource, _spoil_resource),
    "csv": ("fuzz.csv", _import, _spoil_csv),
    "settings": ("fuzz.toml", _settings, _spoil_settings),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """One kind of input file."""
    name: str = request.param
    return name


def _reader(kind: str, tmp_path: Path) -> Reader:
    name, reader, _ = KINDS[kind]
    return reader(tmp_path / name)


@pytest.mark.soak
def test_a_spoiled_file_is_read_or_refused_as_documented(kind: str, tmp_path: Path) -> None:
    check_many(_reader(kind, tmp_path), ERRORS, KINDS[kind][2], count=COUNT, seed=SEED)


@pytest.mark.soak
def test_every_nasty_file_is_read_or_refused_as_documented(kind: str, tmp_path: Path) -> None:
    every = corpus.of(kind, longest=sized(100_000, 100_000_000))

    check_corpus(_reader(kind, tmp_path), ERRORS, islice(every, 0, None, sized(5, 1)))


@pytest.mark.parametrize("name", corpus.FOREIGN)
def test_a_file_that_is_something_else_is_recognized(kind: str, tmp_path: Path, name: str) -> None:
    content, words = corpus.FOREIGN[name]

    with pytest.raises(ERRORS, match=words):
        _reader(kind, tmp_path)(content)


@pytest.mark.parametrize("content", [b"", b" \n\t\n", b"\xef\xbb\xbf\n"], ids=ascii)
def test_an_empty_file_is_said_to_be_empty(kind: str, tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ERRORS, match=r"is empty|is missing|is no JSON"):
        _reader(kind, tmp_path)(content)
