"""Scenario files: whatever is wrong is told on load, all at once, with line, value and remedy."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from sublife.events.document import DocumentError
from sublife.lifecycle.model import ActorKind
from sublife.lifecycle.subscription.model import Adopt
from sublife.scheduler.scenario import find, load, loads

HERE = Path("sale.yaml")
STEP = "  - at: 2024-11-01T00:00:00Z\n    do: reactivate\n    subject: s1\n"
RESOURCE = {
    "id": "3a9d51c4",
    "offerId": "E3",
    "productType": {"id": "OnlineServicesNCE"},
    "quantity": 30,
    "creationDate": "2024-09-01T00:00:00Z",
    "effectiveStartDate": "2024-09-01T00:00:00Z",
    "commitmentEndDate": "2025-08-31T00:00:00Z",
    "status": "active",
    "autoRenewEnabled": True,
    "billingCycle": "monthly",
    "termDuration": "P1Y",
}


REMEDY = re.compile(
    r"\b(use one of|did you mean|add|remove|fix|write|name|choose|put|give|there is)\b"
    r"|`sublife rules` lists them|the switches are|input should|should have at least|cannot be read"
)


class Mistake(NamedTuple):
    """One change to a scenario that holds, and what must be said about it.

    Args:
        name: of the kind of mistake.
        old: what stands in the scenario.
        new: what is written instead.
        line: a text of the line that must be named, after the change.
        words: what the message must hold: the value, and what to do.
    """

    name: str
    old: str
    new: str
    line: str
    words: tuple[str, ...]


MISTAKES = (
    Mistake("unknown key at the top", "by:", "buy:", "buy:", ("buy", "unknown key", "fix")),
    Mistake(
        "unknown key in a step", "do: suspend", "does: suspend", "does:", ("does", "unknown key")
    ),
    Mistake(
        "unknown key in an expectation",
        "{state: suspended}",
        "{states: suspended}",
        "states:",
        ("states", "unknown key"),
    ),
    Mistake(
        "unknown key in a whole-run expectation",
        "refusals: [BAD_STATE]",
        "refused: [BAD_STATE]",
        "refused: [",
        ("refused", "unknown key"),
    ),
    Mistake(
        "unknown key of an actor",
        "{user: amy}",
        "{user: amy, roll: admin-agent}",
        "roll:",
        ("roll", "unknown key"),
    ),
    Mistake(
        "missing title",
        "title: A sale, a refused",
        "about: A sale, a refused",
        "",
        ("title", "add"),
    ),
    Mistake("empty title", "title: A sale, a refused", 'title: ""  #', "title:", ("title", "''")),
    Mistake("missing rules", "rules: [SUB-02, SUB-07]", "", "", ("rules", "missing", "add")),
    Mistake("no rule at all", "[SUB-02, SUB-07]", "[]", "rules:", ("rules", "[]")),
    Mistake(
        "missing instant",
        "at: 2024-11-01T00:00:00Z\n    do: reactivate",
        "do: reactivate",
        "do: reactivate",
        ("at", "missing"),
    ),
    Mistake(
        "instant without a zone",
        "2024-11-02T00:00:00Z",
        "2024-11-02T00:00:00",
        "2024-11-02",
        ("2024-11-02T00:00:00", "no time zone", "write 2024-11-02T00:00:00Z"),
    ),
    Mistake(
        "a date for an instant",
        "2024-11-02T00:00:00Z",
        "2024-11-02",
        "2024-11-02",
        ("2024", "no instant", "write 2024-10-01T00:00:00Z"),
    ),
    Mistake(
        "words for an instant",
        "2024-11-02T00:00:00Z",
        "tomorrow",
        "tomorrow",
        ("'tomorrow'", "no instant", "write"),
    ),
    Mistake(
        "steps out of order",
        "2024-11-02T00:00:00Z",
        "2024-10-02T00:00:00Z",
        "2024-10-02",
        ("2024-10-02T00:00:00Z is before 2024-11-01T00:00:00Z", "in order"),
    ),
    Mistake(
        "unknown request",
        "do: suspend",
        "do: suspnd",
        "do: suspnd",
        ('no request "suspnd"', "suspend"),
    ),
    Mistake(
        "a timer is no request",
        "do: suspend",
        "do: term_ended",
        "do: term_ended",
        ('no request "term_ended"',),
    ),
    Mistake("unknown rule", "SUB-07", "SUB-77", "SUB-77", ('no rule "SUB-77"', "sublife rules")),
    Mistake(
        "unknown fact",
        "subscription-created,",
        "subscription-made,",
        "facts:",
        ('no fact "subscription-made"',),
    ),
    Mistake(
        "unknown fact of a mapping",
        "subscription-created,",
        "{fact: subscription-made},",
        "facts:",
        ('no fact "subscription-made"',),
    ),
    Mistake(
        "unknown refusal code",
        "{refused: BAD_STATE}",
        "{refused: BAD_STAT}",
        "refused: BAD_STAT}",
        ('no refusal code "BAD_STAT"', "BAD_STATE"),
    ),
    Mistake(
        "unknown refusal code of a mapping",
        "{refused: BAD_STATE}",
        "{refused: {code: BAD_STAT}}",
        "code: BAD_STAT",
        ('no refusal code "BAD_STAT"',),
    ),
    Mistake(
        "unknown refusal code of the whole run",
        "refusals: [BAD_STATE]",
        "refusals: [BAD_STAT]",
        "refusals:",
        ('no refusal code "BAD_STAT"',),
    ),
    Mistake(
        "unknown key of a refusal",
        "{refused: BAD_STATE}",
        "{refused: {code: BAD_STATE, rul: '1.2'}}",
        "rul:",
        ('unknown key "rul"', "rule"),
    ),
    Mistake(
        "unknown state",
        "state: suspended",
        "state: supended",
        "supended",
        ('no state "supended"', "suspended"),
    ),
    Mistake(
        "unknown field of the snapshot",
        "{state: suspended}",
        "{fields: {seats: 30}}",
        "seats:",
        ('unknown key "seats"',),
    ),
    Mistake(
        "unknown timer",
        "{state: suspended}",
        "{due: {term_end: 2025-10-01T00:00:00Z}}",
        "term_end:",
        ("no such timer", "term_ended"),
    ),
    Mistake(
        "unknown request that may be made",
        "{state: suspended}",
        "{allowed: [reactivat]}",
        "allowed:",
        ('no request "reactivat"',),
    ),
    Mistake(
        "unknown column of a record",
        "{state: suspended}",
        "{records: [{kinds: renewal}]}",
        "kinds:",
        ('unknown key "kinds"', "kind"),
    ),
    Mistake(
        "unknown column of an order",
        "{state: suspended}",
        "{orders: [{seats: 30}]}",
        "seats:",
        ('unknown key "seats"',),
    ),
    Mistake(
        "unknown subject of an expectation",
        "{state: suspended}",
        "{subjects: {s2: {state: active}}}",
        "s2:",
        ("no such subject", "s1"),
    ),
    Mistake(
        "unknown policy",
        "rules: [SUB-02, SUB-07]",
        "rules: [SUB-02]\npolicy: microsoft",
        "policy:",
        ('no shipped pack "microsoft"', "microsoft-csp"),
    ),
    Mistake(
        "missing policy file",
        "rules: [SUB-02, SUB-07]",
        "rules: [SUB-02]\npolicy: packs/own.yaml",
        "policy:",
        ("packs/own.yaml", "cannot be read"),
    ),
    Mistake(
        "unknown switch",
        "rules: [SUB-02, SUB-07]",
        "rules: [SUB-02]\nswitches: {end_of_terms: est}",
        "end_of_terms",
        ('no switch "end_of_terms"', "end_of_term"),
    ),
    Mistake(
        "unknown option of a switch",
        "rules: [SUB-02, SUB-07]",
        "rules: [SUB-02]\nswitches: {end_of_term: estt}",
        "end_of_term",
        ('no option "estt"', "est"),
    ),
    Mistake(
        "unknown lifecycle",
        "do: suspend",
        "do: suspend\n    lifecycle: subscriptions",
        "lifecycle:",
        ('no lifecycle "subscriptions"', "subscription"),
    ),
    Mistake(
        "unknown key of a payload",
        "      quantity: 30",
        "      quantity: 30\n      seats: 30",
        "      seats:",
        ("seats", "unknown key"),
    ),
    Mistake(
        "missing value of a payload",
        "      partner: contoso\n",
        "",
        "with:",
        ("partner", "missing", "add it"),
    ),
    Mistake(
        "unknown word in a payload", "term: P1Y", "term: P2Y", "term:", ("'P2Y'", "P1M", "P1Y")
    ),
    Mistake(
        "no seats in a payload",
        "quantity: 30",
        "quantity: 0",
        "with:",
        ("quantity 0", "at least 1"),
    ),
    Mistake(
        "text for a number in a payload",
        "quantity: 30",
        "quantity: many",
        "quantity:",
        ("'many'", "integer"),
    ),
    Mistake(
        "payload without a request",
        "    do: suspend\n",
        "    with: {reasons: [fraud]}\n",
        "with: {reasons",
        ('"with" needs a request', 'add "do"'),
    ),
    Mistake(
        "actor without a request",
        "    do: suspend\n",
        "    by: bob\n",
        "by: bob",
        ('"by" needs a request', 'add "do"'),
    ),
    Mistake(
        "event id without a request",
        "    do: suspend\n",
        "    id: e7\n",
        "id: e7",
        ('"id" needs a request', 'add "do"'),
    ),
    Mistake(
        "refusal without a request",
        "    do: reactivate\n",
        "",
        "refused:",
        ("needs a request", 'add "do"'),
    ),
    Mistake(
        "request without a subject",
        "do: suspend\n    subject: s1\n    expect: {state: suspended}",
        "do: suspend",
        "2024-11-02",
        ('"subject" is missing', "name the subject"),
    ),
    Mistake(
        "expectation of nobody",
        "do: suspend\n    subject: s1\n    expect: {state: suspended}",
        "expect: {state: suspended}",
        "expect: {state: suspended}",
        ("says nothing of whom", 'add "subject"'),
    ),
    Mistake(
        "a step that does nothing",
        "do: suspend\n    subject: s1\n    expect: {state: suspended}",
        "note: nothing",
        "2024-11-02",
        ("does nothing and expects nothing", 'add "do" or "expect"'),
    ),
    Mistake("an actor of two kinds", "{user: amy}", "{user: amy, application: x}", "by:", ("one",)),
    Mistake("an actor of no kind", "{user: amy}", "{partner: contoso}", "by:", ("exactly one",)),
    Mistake("an unknown role", "{user: amy}", "{user: amy, role: boss}", "role:", ("'boss'",)),
    Mistake("no steps", "steps:", "steps: []\nexpect:\n  refusals: []\n#", "steps:", ("[]",)),
    Mistake("bad YAML", "rules: [SUB-02", "rules: [[SUB-02", "by:", ("fix the YAML",)),
    Mistake(
        "a key twice", "by: {user: amy}", "by: {user: amy}\nby: bob", "by: bob", ("twice", "remove")
    ),
)


def _faults(text: str, path: Path = HERE) -> tuple[tuple[int, str], ...]:
    with pytest.raises(DocumentError) as caught:
        loads(text, path)
    return caught.value.faults


def _line_of(text: str, words: str) -> int:
    """Return the number of the first line that holds *words*; 0 for no line at all."""
    if not words:
        return 0
    return next(number for number, line in enumerate(text.split("\n"), 1) if words in line)


class TestMistakes:
    @pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
    def test_a_mistake_is_told_with_line_value_and_remedy(
        self, sale: str, mistake: Mistake
    ) -> None:
        """A person can fix the file from the message alone."""
        assert mistake.old in sale
        text = sale.replace(mistake.old, mistake.new, 1)
        if mistake.name == "no steps":
            text = text[: text.index("#")]

        faults = _faults(text)

        about = [
            (line, said) for line, said in faults if all(word in said for word in mistake.words)
        ]
        assert about, faults
        assert about[0][0] == _line_of(text, mistake.line)
        assert REMEDY.search(about[0][1]), about

    @pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
    def test_a_mistake_is_told_once(self, sale: str, mistake: Mistake) -> None:
        """One mistake, one message, so that the next one is seen too."""
        text = sale.replace(mistake.old, mistake.new, 1)
        if mistake.name == "no steps":
            text = text[: text.index("#")]

        assert len(_faults(text)) == 1

    def test_all_mistakes_are_told_at_once_in_the_order_of_their_lines(self, sale: str) -> None:
        """Nobody fixes a file one fault at a time."""
        text = (
            sale.replace("SUB-02", "SUB-22")
            .replace("subscription-provisioned", "subscription-ready")
            .replace("do: reactivate", "do: reactivat")
            .replace("state: suspended", "state: supended")
            .replace("refusals: [BAD_STATE]", "refusals: [BAD]")
        )

        faults = _faults(text)

        lines = [line for line, _ in faults]
        said = " ".join(message for _, message in faults)
        assert lines == sorted(lines)
        assert len(faults) == 5
        for word in ("SUB-22", "subscription-ready", "reactivat", "supended", '"BAD"'):
            assert word in said

    def test_mistakes_of_form_are_told_at_once(self, sale: str) -> None:
        """Misspelt keys, missing keys and wrong values together."""
        text = (
            sale.replace("title:", "titel:")
            .replace("2024-11-01T00:00:00Z", "soon")
            .replace("expect: {state: suspended}", "expects: {state: suspended}")
        )

        said = " ".join(message for _, message in _faults(text))

        for word in ("titel", "title", "'soon'", "expects"):
            assert word in said

    def test_mistakes_of_form_and_of_content_are_told_at_once(self, sale: str) -> None:
        """A misspelt key does not hide an unknown request."""
        text = sale.replace("{state: suspended}", "{states: suspended}").replace(
            "do: reactivate", "do: reactivat"
        )

        said = " ".join(message for _, message in _faults(text))

        assert "states" in said
        assert "reactivat" in said

    def test_the_error_names_the_file_in_every_line(self, sale: str) -> None:
        """`file:line: message`, as compilers write it."""
        text = sale.replace("SUB-02", "SUB-22").replace("do: suspend", "do: suspnd")

        with pytest.raises(DocumentError) as caught:
            loads(text, Path("scenarios/sale.yaml"))

        lines = str(caught.value).splitlines()
        assert len(lines) == 2
        assert lines[0].startswith("scenarios/sale.yaml:2: rules.0: ")
        assert lines[1].startswith(f"scenarios/sale.yaml:{_line_of(text, 'suspnd')}: steps.2.do: ")


class TestGiven:
    """Exports that a scenario starts from."""

    @staticmethod
    def _text(sale: str, resource: str) -> str:
        given = (
            "given:\n  - subject: s9\n    at: 2024-09-30T00:00:00Z\n    customer: tailspin\n"
            f"    partner: contoso\n    resource: {resource}\n"
        )
        return sale.replace("steps:\n", f"{given}steps:\n")

    def test_a_resource_may_lie_beside_the_scenario(
        self, sale: str, write: Callable[..., Path]
    ) -> None:
        """A file of JSON, as it was exported."""
        write(json.dumps(RESOURCE), "export.json")
        path = write(self._text(sale, "export.json"))

        (event,) = load(path).given

        assert (event.name, event.subject) == ("adopt", "s9")
        assert isinstance(event.data, Adopt)
        assert event.data.subscription.quantity == 30

    def test_a_resource_may_stand_in_the_scenario(self, sale: str) -> None:
        """Short ones, as a mapping."""
        text = self._text(sale, json.dumps(RESOURCE))

        (event,) = loads(text, HERE).given

        assert event.at == datetime(2024, 9, 30, tzinfo=UTC)
        assert event.actor.kind is ActorKind.APPLICATION

    def test_a_missing_export_is_told(self, sale: str, write: Callable[..., Path]) -> None:
        """With its path and the line that names it."""
        text = self._text(sale, "missing.json")

        ((line, said),) = _faults(text, write(text))

        assert "missing.json" in said
        assert "cannot be read" in said
        assert line == _line_of(text, "missing.json")

    def test_a_broken_export_is_told_with_its_own_line(
        self, sale: str, write: Callable[..., Path]
    ) -> None:
        """The line of the JSON file, and the line of the scenario that names it."""
        write('{\n  "id": "x",\n  oops\n}', "export.json")
        text = self._text(sale, "export.json")

        ((line, said),) = _faults(text, write(text))

        assert "export.json:3: is no JSON" in said
        assert "export it again" in said
        assert line == _line_of(text, "export.json")

    def test_an_export_that_is_no_object_is_told(
        self, sale: str, write: Callable[..., Path]
    ) -> None:
        """A list of resources is not one resource."""
        write("[]", "export.json")
        text = self._text(sale, "export.json")

        ((_, said),) = _faults(text, write(text))

        assert "must hold one resource, a JSON object" in said

    def test_every_fault_of_an_export_is_told(self, sale: str, write: Callable[..., Path]) -> None:
        """By field, with its value."""
        write(json.dumps({**RESOURCE, "status": "asleep", "termDuration": "P2Y"}), "export.json")
        text = self._text(sale, "export.json")

        faults = _faults(text, write(text))

        assert len(faults) == 2
        assert "asleep" in " ".join(said for _, said in faults)
        assert "P2Y" in " ".join(said for _, said in faults)

    def test_a_step_before_an_export_is_out_of_order(self, sale: str) -> None:
        """What exists already exists before the first step."""
        text = self._text(sale, json.dumps(RESOURCE)).replace(
            "2024-09-30T00:00", "2024-10-09T00:00"
        )

        ((line, said),) = _faults(text)

        assert "2024-10-01T02:35:00Z is before 2024-10-09T00:00:00Z" in said
        assert line == _line_of(text, "at: 2024-10-01T02:35:00Z")


class TestLoading:
    def test_a_scenario_knows_its_title_its_rules_and_its_steps(self, sale: str) -> None:
        """What a person reads is what runs."""
        scenario = loads(sale, HERE)

        assert scenario.title == "A sale, a refused reactivation and a suspension"
        assert scenario.rules == ("SUB-02", "SUB-07")
        assert [act.event.name for act in scenario.acts if act.event] == [
            "purchase",
            "reactivate",
            "suspend",
        ]
        assert scenario.policy.id == "microsoft-csp"

    def test_an_event_has_the_actor_of_its_step_or_of_the_scenario(self, sale: str) -> None:
        """EVT-06: everything has somebody who did it."""
        text = sale.replace("do: suspend", "do: suspend\n    by: {application: billing}")

        actors = [act.event.actor for act in loads(text, HERE).acts if act.event]

        assert [(each.kind.value, each.id) for each in actors] == [
            ("user", "amy"),
            ("user", "amy"),
            ("application", "billing"),
        ]

    def test_an_event_id_is_made_from_the_step_unless_it_is_given(self, sale: str) -> None:
        """So that a step can repeat an earlier event."""
        text = sale.replace("do: suspend", "do: suspend\n    id: e7")

        assert [act.event.id for act in loads(text, HERE).acts if act.event] == [
            "step-1",
            "step-2",
            "e7",
        ]

    def test_switches_choose_another_reading(self, sale: str) -> None:
        """0.4: the content hash follows."""
        text = sale.replace("steps:\n", "switches: {end_of_term: est}\nsteps:\n")

        chosen, default = loads(text, HERE).policy, loads(sale, HERE).policy

        assert chosen.switches["end_of_term"].chosen == "est"
        assert chosen.version != default.version

    def test_a_pack_may_lie_beside_the_scenario(
        self, sale: str, write: Callable[..., Path]
    ) -> None:
        """A company's own figures."""
        write("pack: own\nextends: microsoft-csp\nchoose: {end_of_term: est}\n", "packs/own.yaml")
        path = write(sale.replace("steps:\n", "policy: packs/own.yaml\nsteps:\n"))

        assert load(path).policy.id == "own"


class TestFinding:
    def test_a_folder_is_searched_for_scenarios_but_not_for_packs(
        self, write: Callable[..., Path], tmp_path: Path
    ) -> None:
        """In order of their paths."""
        names = ("b.yaml", "a/z.yaml", "a/packs/own.yaml", "a/export.json")
        paths = {name: write("x: 1", name) for name in names}

        assert find([tmp_path]) == [paths["a/z.yaml"], paths["b.yaml"]]

    def test_a_file_named_twice_is_found_once(self, write: Callable[..., Path]) -> None:
        """By itself and in its folder."""
        path = write("x: 1")

        assert find([path, path.parent, path]) == [path]

    def test_a_path_that_does_not_exist_is_told(self, tmp_path: Path) -> None:
        """With its name and what to do."""
        with pytest.raises(DocumentError, match=r"missing\.yaml: does not exist; fix the path"):
            find([tmp_path / "missing.yaml"])

    def test_a_folder_without_scenarios_is_told(self, tmp_path: Path) -> None:
        """Nothing replayed is not everything held."""
        with pytest.raises(
            DocumentError, match=r"holds no \*\.yaml or \*\.yml file; name another folder"
        ):
            find([tmp_path])
