"""The bytes of a post, exactly."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sublife.events.records import RECORDINGS
from sublife.events.store import Entry
from sublife.events.store.delivery import Body, CommittedFact
from sublife.events.webhook.body import (
    Source,
    is_written,
    message,
    partner_center,
    resource_of,
    trial_message,
)
from sublife.lifecycle.model import Actor, ActorKind, Event, Fact, Refusal

AT = datetime(2025, 10, 1, tzinfo=UTC)
HOUSE = Source()


def fact(
    *facts: Fact, number: int = 0, subject: str = "1f0c2a77", customer: str = "5d0c8f3e"
) -> CommittedFact:
    """Return a fact of a timed event."""
    event = Event(
        "timer:1f0c2a77/term_ended", "term_ended", subject, AT, Actor(ActorKind.TIMER, "term_ended")
    )
    entry = Entry(
        event=event,
        state_before="active",
        state="active",
        version=4,
        sequence=5,
        rules=("TRM-03",),
        policy="microsoft-csp@0123",
        recorded_at=datetime(2025, 10, 1, 0, 0, 1, 500000, tzinfo=UTC),
        outcome=facts,
    )
    return CommittedFact("default", entry, number, customer, "contoso")


RENEWED = Fact(
    "subscription-renewed", {"quantity": 30, "ends_on": "2026-09-30", "note": "Köln"}, ("TRM-03",)
)
EXPIRED = Fact("subscription-expired", {}, ("SUB-03",))
MIGRATED = Fact("new-commerce-migration-completed", {"into": "b81d4c55"}, ("LEG-15",))


class TestCloudEvents:
    def test_the_bytes_are_these(self) -> None:
        said = message(fact(RENEWED), Body.CLOUDEVENTS, HOUSE)

        assert said.id == "timer:1f0c2a77/term_ended#0"
        assert said.media_type == "application/cloudevents+json; charset=utf-8"
        assert said.body.decode() == (
            '{"specversion":"1.0","id":"timer:1f0c2a77/term_ended#0","source":"/sublife/default",'
            '"type":"sublife.subscription-renewed","subject":"1f0c2a77",'
            '"time":"2025-10-01T00:00:00Z","datacontenttype":"application/json",'
            '"data":{"fact":"subscription-renewed",'
            '"details":{"ends_on":"2026-09-30","note":"Köln","quantity":30},'
            '"rules":["TRM-03"],"policy":"microsoft-csp@0123","lifecycle":"subscription",'
            '"state_before":"active","state":"active","version":4,"sequence":5,"number":0,'
            '"customer":"5d0c8f3e","partner":"contoso","recorded_at":"2025-10-01T00:00:01.500000Z",'
            '"event":{"id":"timer:1f0c2a77/term_ended","name":"term_ended",'
            '"actor":{"kind":"timer","id":"term_ended"},"cause":null}}}'
        )

    def test_each_fact_of_an_event_has_its_own_id(self) -> None:
        first, second = (
            message(fact(RENEWED, EXPIRED, number=number), Body.CLOUDEVENTS, HOUSE)
            for number in (0, 1)
        )

        assert (first.id, second.id) == (
            "timer:1f0c2a77/term_ended#0",
            "timer:1f0c2a77/term_ended#1",
        )
        assert json.loads(second.body)["type"] == "sublife.subscription-expired"

    def test_the_source_is_the_tenants_or_the_hosts_own(self) -> None:
        given = replace(fact(RENEWED), tenant="a/b c")

        ours = json.loads(message(given, Body.CLOUDEVENTS, HOUSE).body)["source"]
        own = Source(cloudevents="https://billing.example")

        assert ours == "/sublife/a%2Fb%20c"
        assert json.loads(message(given, Body.CLOUDEVENTS, own).body)["source"] == own.cloudevents


class TestPartnerCenter:
    """EVT-10, EVT-11."""

    def test_the_bytes_are_these(self) -> None:
        said = message(fact(MIGRATED), Body.PARTNER_CENTER, HOUSE)

        assert said.media_type == "application/json; charset=utf-8"
        assert said.body.decode() == (
            '{"EventName":"new-commerce-migration-completed",'
            '"ResourceUri":"https://api.partnercenter.microsoft.com/v1/customers/5d0c8f3e/'
            'migrations/newcommerce/1f0c2a77",'
            '"ResourceName":"new-commerce-migration",'
            '"AuditUri":"https://api.partnercenter.microsoft.com/auditactivity/v1/auditrecords/'
            'timer%3A1f0c2a77%2Fterm_ended",'
            '"ResourceChangeUtcDate":"2025-10-01T00:00:00.0000000+00:00"}'
        )

    def test_a_fact_without_an_activity_record_has_no_audit_uri(self) -> None:
        suspended = fact(Fact("subscription-suspended", {}, ("SUB-07",)))

        assert partner_center(suspended, HOUSE) == {
            "EventName": "subscription-updated",
            "ResourceUri": "https://api.partnercenter.microsoft.com/webhooks/v1/customers/5d0c8f3e/"
            "subscriptions/1f0c2a77",
            "ResourceName": "subscription",
            "AuditUri": None,
            "ResourceChangeUtcDate": "2025-10-01T00:00:00.0000000+00:00",
        }

    def test_the_audit_uri_names_the_record_of_this_very_fact(self) -> None:
        """The second record of an event has a number behind the event's id."""
        second = partner_center(fact(RENEWED, EXPIRED, number=1), HOUSE)

        assert str(second["AuditUri"]).endswith("/auditrecords/timer%3A1f0c2a77%2Fterm_ended%232")

    def test_ids_cannot_break_out_of_a_path(self) -> None:
        said = partner_center(fact(RENEWED, subject="a/../b?c", customer="x/y"), HOUSE)

        assert str(said["ResourceUri"]).endswith("/customers/x%2Fy/subscriptions/a%2F..%2Fb%3Fc")

    def test_a_house_of_its_own_gives_its_own_addresses(self) -> None:
        own = Source(partner_center="https://billing.example/pc")

        said = partner_center(fact(RENEWED), own)

        assert str(said["ResourceUri"]).startswith("https://billing.example/pc/webhooks/v1/")
        assert str(said["AuditUri"]).startswith("https://billing.example/pc/auditactivity/v1/")

    def test_only_some_facts_have_a_name_there(self) -> None:
        noted = fact(Fact("price-noted", {}, ("TRM-01",)))

        assert not is_written(noted, Body.PARTNER_CENTER)
        assert is_written(noted, Body.CLOUDEVENTS)
        with pytest.raises(ValueError, match="price-noted has no Partner Center event"):
            partner_center(noted, HOUSE)

    @pytest.mark.parametrize(
        "name", sorted({each.webhook for each in RECORDINGS.values() if each.webhook})
    )
    def test_every_name_has_a_resource(self, name: str) -> None:
        resource, path = resource_of(name)

        assert resource
        assert path is None or path.format(customer="c", subject="s").endswith(("/s", "/c"))

    def test_a_name_without_a_resource_is_told_as_such(self) -> None:
        with pytest.raises(ValueError, match="order-shipped has no resource"):
            resource_of("order-shipped")

    def test_admin_rights_have_no_resource_uri(self) -> None:
        approved = fact(Fact("dap-admin-relationship-approved", {}, ("AUT-01",)))

        said = partner_center(approved, HOUSE)

        assert (said["ResourceName"], said["ResourceUri"]) == ("PartnerCustomerDap", None)

    @pytest.mark.parametrize(
        ("name", "resource"),
        [
            ("new-commerce-migration-failed", "new-commerce-migration"),
            ("new-commerce-migration-schedule-failed", "new-commerce-migration-schedule"),
            ("reseller-relationship-accepted-by-customer", "customer"),
            ("indirect-reseller-relationship-accepted-by-customer", "customer"),
            ("dap-admin-relationship-terminated", "PartnerCustomerDap"),
            ("test-created", "test"),
        ],
    )
    def test_the_longest_beginning_counts(self, name: str, resource: str) -> None:
        assert resource_of(name)[0] == resource


class TestATest:
    def test_as_a_cloudevent(self) -> None:
        said = trial_message("try-1", "default", AT, Body.CLOUDEVENTS, HOUSE)

        assert said.body.decode() == (
            '{"specversion":"1.0","id":"try-1","source":"/sublife/default",'
            '"type":"sublife.test-created","time":"2025-10-01T00:00:00Z"}'
        )

    def test_in_the_partner_center_shape(self) -> None:
        said = trial_message("try-1", "default", AT, Body.PARTNER_CENTER, HOUSE)

        assert said.body.decode() == (
            '{"EventName":"test-created","ResourceUri":"https://api.partnercenter.microsoft.com/'
            'webhooks/v1/registration/validationEvents/try-1","ResourceName":"test",'
            '"AuditUri":null,"ResourceChangeUtcDate":"2025-10-01T00:00:00.0000000+00:00"}'
        )


def test_a_refused_event_has_no_facts() -> None:
    refused = replace(fact().entry, outcome=Refusal("CANCEL_WINDOW_CLOSED", "TRM-12", "Too late."))

    assert CommittedFact("default", refused, 0, "c", "p").facts == ()
