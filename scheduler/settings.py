"""Settings of the daemon: flags over environment (`SUBLIFE_*`) over a TOML file over defaults.

Every field is one setting: its description is the help of its flag, and docs/daemon.md lists it.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from sublife.events.content import ContentError, clear, read_text
from sublife.lifecycle.error import SublifeError
from sublife.scheduler.logs import LogFormat, LogLevel

_LARGEST = 1 << 18
"""Bytes that a file of settings may have."""
_LINES, _LINE, _NAME = 5, 350, 200
"""Faults that are told, and characters of each and of the file's name."""
_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{0,30})?", re.ASCII)
PREFIX = "SUBLIFE_"
"""How the names of the environment's variables begin."""


class SettingsError(SublifeError, ValueError):
    """A setting is missing or not valid; the message names it and the remedy, but no secret."""


class Settings(BaseSettings):
    """How a daemon runs. Lengths carry their unit; `load` reads them from where they stand."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )

    _from_file: ClassVar[dict[str, Any]] = {}
    """What the file of settings says."""

    store: str = Field(repr=False)
    """The database: sqlite:///file.db or postgresql://user@host/base."""

    policy: str = "microsoft-csp"
    """The policy pack that decides: the name of a shipped one, or the path of a YAML file."""

    beat_seconds: Annotated[float, Field(ge=0.05, le=60)] = 5
    """The longest time between two looks for what is due, from 0.05 to 60."""

    workers: Annotated[int, Field(ge=1, le=64)] = 2
    """Tenants settled at the same time on PostgreSQL; SQLite takes one after another."""

    batch: Annotated[int, Field(ge=1, le=10_000)] = 1000
    """Subjects settled in one transaction."""

    clock_tolerance_seconds: Annotated[float, Field(gt=0, le=86_400)] = 60
    """How far the system clock may jump, or be ahead of the database's, before it is distrusted."""

    clock_is_right: bool = False
    """Believe the system clock although the database has later instants, or was long at rest."""

    deliver: bool = True
    """Whether facts are posted to the endpoints of every live tenant."""

    deliver_seconds: Annotated[float, Field(ge=0.05, le=3600)] = 1
    """The longest time between two looks for what is to be posted."""

    stop_seconds: Annotated[float, Field(ge=0, le=3600)] = 5
    """How long posts under way may go on when the daemon ends; then they are cut off."""

    house_seconds: Annotated[float, Field(ge=1, le=86_400)] = 3600
    """Time between two rounds of housekeeping."""

    keep_delivered_days: Annotated[int, Field(ge=0, le=36_500)] = 30
    """Deliveries that arrived are forgotten after so many days; what was given up stays."""

    months_ahead: Annotated[int, Field(ge=0, le=120)] = 3
    """Months whose partitions are made beforehand, where the tables are cut by month."""

    listen: str | None = None
    """Where the HTTP interface is served, such as 127.0.0.1:8321; nowhere if not given."""

    open_tenant: str = "default"
    """Whose rows the interface shows on this machine as long as there is no token."""

    rate_per_second: Annotated[float, Field(gt=0, le=100_000)] = 50
    """Requests per second that the interface takes of one token, in the long run."""

    rate_burst: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    """Requests that the interface takes of one token at once."""

    body_bytes: Annotated[int, Field(ge=1024, le=100_000_000)] = 262_144
    """Bytes that the body of one request may have."""

    traces_to: str | None = Field(default=None, repr=False)
    """Where spans are sent by OTLP over HTTP, such as http://localhost:4318/v1/traces."""

    log_level: LogLevel = LogLevel.INFO
    """From which level on lines are written: debug, info, warning or error."""

    log_format: LogFormat = LogFormat.AUTO
    """How lines are written: json, console, or auto, which is console on a terminal."""

    nats_url: str | None = Field(default=None, repr=False)
    """Where facts are published: nats://host:4222 or tls://…, several by comma; nowhere if none."""

    nats_credentials: Path | None = None
    """The credentials file by which the daemon signs in to the broker."""

    nats_stream: str = "sublife"
    """The JetStream stream that keeps the facts; another one begins with the first fact."""

    nats_prefix: str = "sublife"
    """What the subject names of published facts begin with."""

    nats_create: bool = True
    """Whether the stream is made where there is none; one that is there is never changed."""

    nats_duplicate_minutes: Annotated[float, Field(gt=0, le=10_080)] = 10
    """How long a stream made by the daemon knows a message again."""

    nats_tls_ca: Path | None = None
    """The certificates to trust for the broker; the system's if not given."""

    nats_tls_certificate: Path | None = None
    """The daemon's own certificate, where the broker asks for one."""

    nats_tls_key: Path | None = None
    """The key of that certificate; the same file if not given."""

    nats_seconds: Annotated[float, Field(ge=0.05, le=3600)] = 1
    """The longest time between two looks for what is to be published."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 – a file of settings is TOML
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 – the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where settings are read, the first one that has a setting wins."""
        file = InitSettingsSource(settings_cls, cls._from_file)
        return init_settings, env_settings, file


def load(config: Path | None = None, flags: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings of this process.

    Args:
        config: a TOML file of settings, each a key at the top.
        flags: settings given on the command line; `None` stands for one that was not given.

    Raises:
        SettingsError: the file cannot be read, or a setting is missing, unknown or out of range.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}

    there = _there(config)

    class _Read(Settings):
        _from_file: ClassVar[dict[str, Any]] = {} if there is None else _read(there)

    try:
        found = _Read(**given)
    except ValidationError as error:
        raise SettingsError(_said(error, config)) from error
    return Settings.model_construct(**dict(found))


def _there(config: Path | None) -> Path | None:
    if config is not None and not config.is_file():
        raise SettingsError(f"there is no file {config}; give --config the path of a TOML file")
    return config


def _read(config: Path) -> dict[str, Any]:
    """Return what a file of settings says.

    Raises:
        SettingsError: it cannot be read, or is no TOML.
    """
    name = clear(str(config), _NAME)
    try:
        return tomllib.loads(read_text(config, limit=_LARGEST))
    except ContentError as error:
        where = f"{name}:{error.line}" if error.line else name
        raise SettingsError(f"{where} {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"{name} is no TOML: {clear(str(error), _LINE)}; fix that line"
        ) from error
    except RecursionError as error:
        raise SettingsError(
            f"{name} is nested too deeply; give each setting a plain value"
        ) from error
    except ValueError as error:
        raise SettingsError(
            f"{name} has a number with too many digits; write a shorter one"
        ) from error


def _said(error: ValidationError, config: Path | None) -> str:
    """Return every fault in a line of its own; those after the first ones are counted."""
    faults = error.errors(include_url=False)
    said = [clear(_sentence(each, config), _LINE) for each in faults[:_LINES]]
    rest = len(faults) - len(said)
    return "\n".join([*said, f"and {rest} more mistakes"] if rest else said)


def _sentence(fault: Any, config: Path | None) -> str:
    name = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "missing":
        return f"{name} is missing; give {_ways(name)}"
    if fault["type"] == "extra_forbidden":
        return f'there is no setting "{name}"; take it out of {config or "what is given"}'
    said = str(fault["msg"]).removeprefix("Value error, ")
    said = said[:1].lower() + said[1:]
    return f"{name} {_wrong(fault['input'])}: {said}; change {_ways(name)}"


def _wrong(value: object) -> str:
    """Return what is wrong with a value; only a number is repeated, as others may be secret."""
    if isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        return f"cannot be {value!r}"
    return "is not valid"


def _ways(name: str) -> str:
    return f"--{name.replace('_', '-')}, {PREFIX}{name.upper()} or {name} in the file of --config"
