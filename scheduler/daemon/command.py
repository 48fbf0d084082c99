"""The command `daemon`: settings from flags, environment and file; signals; exit status."""

import inspect
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.markup import escape

from sublife.events.document import DocumentError
from sublife.events.store import ReplacedError, StoreError
from sublife.events.stream import SettingError
from sublife.events.webhook import ExtraMissingError
from sublife.scheduler.daemon.lock import NoFileError, SecondDaemonError, UnwritableError
from sublife.scheduler.daemon.process import Daemon
from sublife.scheduler.listen import ListenError
from sublife.scheduler.logs import configure
from sublife.scheduler.screen import standard_error
from sublife.scheduler.settings import PREFIX, Settings, SettingsError, load
from sublife.scheduler.tracing import TracingError

STOPPED, NOT_DONE = 1, 2
ENDING: tuple[signal.Signals, ...] = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""The signals that end a daemon; Windows has no SIGHUP."""
_TOLD = (
    StoreError,
    DocumentError,
    SettingsError,
    SecondDaemonError,
    NoFileError,
    UnwritableError,
    ListenError,
    TracingError,
    SettingError,
    ExtraMissingError,
)


def daemon_command(*, config: Path | None = None, **flags: Any) -> None:
    """Settle what falls due, deliver facts, keep house, until a signal says to end.

    Every setting can be given as a flag, in the environment, or in the file of --config.

    Exit status: 0 ended by SIGTERM, SIGINT or SIGHUP, with the batch under way done; 1 the SQLite
    file was deleted, moved or replaced; 2 it cannot start.
    """
    console = standard_error()
    try:
        settings = load(config, flags)
        configure(settings.log_level, settings.log_format)
        run_until_signalled(Daemon(settings, console=console))
    except ReplacedError as error:
        console.print(f"[bold red]stopped[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(STOPPED) from error
    except _TOLD as error:
        console.print(f"[bold red]not done[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(NOT_DONE) from error


def run_until_signalled(daemon: Daemon) -> None:
    """Run a daemon; the first signal lets it end in order, a second one at once, signed off.

    A closed terminal sends SIGHUP; one that is ignored already, as by nohup, stays ignored. A shell
    has what it starts in the background ignore SIGINT; who sends it to the daemon means it.
    """
    numbers = [each for each in ENDING if not _is_kept_out(each)]

    def end(_number: int, _frame: FrameType | None) -> None:
        daemon.stop()
        for each in numbers:
            signal.signal(each, end_at_once)

    def end_at_once(number: int, _frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_DFL)
        daemon.sign_off()
        signal.raise_signal(number)

    for each in numbers:
        signal.signal(each, end)
    daemon.run()


def _is_kept_out(number: signal.Signals) -> bool:
    return number.name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN


def with_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command with a flag for each setting: a new one needs no second definition."""
    config: Any = Annotated[
        Path | None,
        typer.Option("--config", envvar=f"{PREFIX}CONFIG", help="A TOML file of settings."),
    ]
    flags = [_parameter("config", config)]
    for name, field in Settings.model_fields.items():
        told = f"{field.description} [{PREFIX}{name.upper()}]"
        flag: Any = Annotated[field.annotation | None, typer.Option(help=told)]  # type: ignore[operator]
        flags.append(_parameter(name, flag))
    command.__signature__ = inspect.Signature(flags)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in flags}
    return command


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )


with_flags(daemon_command)
