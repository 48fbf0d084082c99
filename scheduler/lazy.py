"""A group of commands whose modules are imported when a command is invoked, not before.

`sublife --help` needs the name and the first line of each command, and no module of ours. A command
of the group is a stub with just that; `resolve_command` puts the real one in its place.
"""

import gc
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from sublife.scheduler.argument import check_text, guard


@dataclass(frozen=True, slots=True)
class Deferred:
    """A command that is not imported yet.

    Args:
        name: of the command.
        place: `module:attribute` of its function, or of the `Typer` with its subcommands.
        help: the first paragraph of its help, on one line.
        panel: the heading it stands under in the help of the group.
    """

    name: str
    place: str
    help: str
    panel: str

    def stub(self) -> TyperCommand:
        """Return a command for the help of the group alone."""
        return TyperCommand(self.name, help=self.help, rich_help_panel=self.panel)

    def load(self) -> Any:
        """Import the command and return it as click wants it."""
        module, _, attribute = self.place.partition(":")
        with _collecting_nothing():
            found: Any = getattr(import_module(module), attribute)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            alone.command(self.name)(found)
            found = alone
        command: Any = typer.main.get_command(found)
        command.name = self.name
        guard(command)
        return command


@contextmanager
def _collecting_nothing() -> Generator[None]:
    """Keep the garbage collector out of an import: it takes a seventh of the time, finding none."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def commands(*each: Deferred) -> Mapping[str, Deferred]:
    """Return commands by their names."""
    return MappingProxyType({one.name: one for one in each})


class Commands(TyperGroup):
    """A group that knows its commands by a table."""

    table: ClassVar[Mapping[str, Deferred]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: each.stub() for name, each in self.table.items()}

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the arguments of every command, after a look at what they are made of."""
        check_text(args)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the name of the command that is invoked, the command itself, and its arguments."""
        name, stub, rest = super().resolve_command(ctx, args)
        found = None if stub is None else self.table.get(stub.name or "")
        return name, found.load() if found else stub, rest
