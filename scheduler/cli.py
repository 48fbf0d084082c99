"""The command line: which commands there are; the module of one is imported when it is invoked."""

import typer

from sublife.scheduler.encoding import escape_what_is_missing
from sublife.scheduler.lazy import Commands, Deferred, commands

SCENARIOS = "Scenarios and rules"
STORE = "A database and what is in it"
RUNNING = "Running it"

TABLE = commands(
    Deferred(
        "replay",
        "sublife.scheduler.replay.command:replay_command",
        "Replay scenarios on the simulated clock and compare what happened with what is expected.",
        SCENARIOS,
    ),
    Deferred(
        "rules",
        "sublife.scheduler.rules:rules_command",
        "List every rule: what it says, its source, where it is applied, which scenarios show it.",
        SCENARIOS,
    ),
    Deferred(
        "lifecycles",
        "sublife.scheduler.lifecycles:lifecycles_command",
        "Print the lifecycles as state diagrams (Mermaid), drawn from their rules.",
        SCENARIOS,
    ),
    Deferred(
        "schema",
        "sublife.scheduler.schema:schema_command",
        "Print the JSON Schema of a scenario file, for editors and other tools.",
        SCENARIOS,
    ),
    Deferred(
        "migrate",
        "sublife.scheduler.migrate:migrate_command",
        "Bring the tables of a database up to date, in one transaction; safe to run twice at once.",
        STORE,
    ),
    Deferred(
        "import",
        "sublife.scheduler.importing:import_command",
        "Import Partner Center exports: each row becomes a subject or an event, or a reason why "
        "not.",
        STORE,
    ),
    Deferred(
        "log",
        "sublife.scheduler.log:log_command",
        "Show the activity records of the last month, or write them out (EVT-07).",
        STORE,
    ),
    Deferred(
        "verify",
        "sublife.scheduler.verify:verify_command",
        "Check that no row of the history was changed, dropped, inserted or swapped.",
        STORE,
    ),
    Deferred(
        "due",
        "sublife.scheduler.due:due_command",
        "Tell what will happen in the next days if nobody asks for anything else.",
        STORE,
    ),
    Deferred(
        "show",
        "sublife.scheduler.subject:show_command",
        "Show a subject: its timeline, its state, its next timers and what may be asked of it.",
        STORE,
    ),
    Deferred(
        "why",
        "sublife.scheduler.why:why_command",
        "Explain why something happened or was refused: rules, figures, values, dates, causes.",
        STORE,
    ),
    Deferred(
        "fork",
        "sublife.scheduler.simulation:fork_command",
        "Copy live subjects into a simulated tenant, to see their future with `clock advance`.",
        STORE,
    ),
    Deferred(
        "clock",
        "sublife.scheduler.simulation:app",
        "Make simulated tenants next to live ones, and move their clocks.",
        STORE,
    ),
    Deferred(
        "daemon",
        "sublife.scheduler.daemon.command:daemon_command",
        "Settle what falls due, deliver facts, keep house, until a signal says to end.",
        RUNNING,
    ),
    Deferred(
        "doctor",
        "sublife.scheduler.doctor:doctor_command",
        "Look a database over: schema, clocks, lag, daemons, deliveries, policy, partitions.",
        RUNNING,
    ),
    Deferred(
        "repair",
        "sublife.scheduler.repair:repair_command",
        "Rebuild a subject's row from its journal, or set the subject aside where that cannot be "
        "done.",
        RUNNING,
    ),
    Deferred(
        "pause",
        "sublife.scheduler.pausing:pause_command",
        "Let the calendar pass over everything, a tenant or a lifecycle, in all processes at once.",
        RUNNING,
    ),
    Deferred(
        "resume",
        "sublife.scheduler.pausing:resume_command",
        "End a pause of just that; what fell due meanwhile happens when it is next settled.",
        RUNNING,
    ),
    Deferred(
        "deliveries",
        "sublife.scheduler.deliveries:app",
        "See what is on its way to handlers and endpoints; send it again.",
        RUNNING,
    ),
    Deferred(
        "endpoints",
        "sublife.scheduler.endpoints:app",
        "Say where facts are posted to.",
        RUNNING,
    ),
    Deferred(
        "tokens",
        "sublife.scheduler.tokens:app",
        "Say who may use the HTTP interface.",
        RUNNING,
    ),
)
"""Every command in the order of the help; a test compares the lines with the docstrings."""


class Sublife(Commands):
    """The commands of `sublife`."""

    table = TABLE


app = typer.Typer(
    cls=Sublife,
    no_args_is_help=True,
    add_completion=False,
    help="A subscription lifecycle engine: lifecycle decides, events record, scheduler wakes.",
    pretty_exceptions_enable=False,
)


@app.callback()
def _sublife() -> None:  # pyright: ignore[reportUnusedFunction] – makes `app` a group
    pass


def main() -> None:
    """Run the command line; what the output's encoding lacks is written as an escape."""
    escape_what_is_missing()
    app()
