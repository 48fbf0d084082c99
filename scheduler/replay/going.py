"""A scenario while it runs: what has happened so far, and what differs."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sublife.events.intake import Outcome
from sublife.events.store import Store
from sublife.lifecycle.model import Snapshot
from sublife.scheduler.clock import SimulatedClock
from sublife.scheduler.compare import shown
from sublife.scheduler.replay.line import line_of
from sublife.scheduler.replay.result import Difference, Happening, Remark
from sublife.scheduler.scenario import Act, Scenario


@dataclass(slots=True)
class Going:
    """A scenario while it runs."""

    scenario: Scenario
    store: Store
    clock: SimulatedClock
    happened: list[Outcome] = field(default_factory=list[Outcome])
    timeline: list[Happening] = field(default_factory=list[Happening])
    differences: list[Difference] = field(default_factory=list[Difference])
    snapshots: dict[str, Snapshot] = field(default_factory=dict[str, Snapshot])
    lifecycles: dict[str, str] = field(default_factory=dict[str, str])
    steps: list[tuple[Act, int, int]] = field(default_factory=list[tuple[Act, int, int]])
    remarks: list[Remark] = field(default_factory=list[Remark])

    def differ(self, where: str, expected: object, found: object) -> None:
        """Note that an expectation did not hold."""
        self.differences.append(Difference(where, shown(expected), shown(found)))

    def note(self, outcomes: Iterable[Outcome], remark: str = "") -> None:
        """Add outcomes to what happened and to the timeline."""
        for outcome in outcomes:
            event, subject = outcome.event, outcome.event.subject
            if outcome.snapshot is not None:
                self.snapshots[subject] = outcome.snapshot
                self.lifecycles[subject] = event.lifecycle
            self.happened.append(outcome)
            self.timeline.append(line_of(outcome, self.snapshots.get(subject), remark))

    def remark(self, act: Act, start: int) -> None:
        """Put what a step that only looks is for before what happened at its instant."""
        places = (
            start + number for number, line in enumerate(self.timeline[start:]) if line.at == act.at
        )
        self.remarks.append(Remark(next(places, len(self.timeline)), act.at, act.note))
