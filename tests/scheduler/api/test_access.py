"""Who gets in: every route for every role, scope and tenant; tokens that are none; loopback."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import APIRouter

from sublife.events.token import Role
from sublife.scheduler.api.access import Route, Scope
from sublife.scheduler.api.app import ROUTERS
from sublife.scheduler.listen import is_loopback

if TYPE_CHECKING:
    from tests.scheduler.api.conftest import Client, Door

TENANT, INSTALLATION = Scope.TENANT, Scope.INSTALLATION
READ, OPERATE, ADMIN = Role.READ, Role.OPERATE, Role.ADMIN
NEEDS: dict[tuple[str, str], tuple[Role, Scope] | None] = {
    ("GET", "/healthz"): None,
    ("GET", "/readyz"): None,
    ("GET", "/openapi.json"): None,
    ("GET", "/metrics"): (READ, INSTALLATION),
    ("GET", "/v1/subjects/{subject}"): (READ, TENANT),
    ("GET", "/v1/subjects/{subject}/history"): (READ, TENANT),
    ("GET", "/v1/subjects/{subject}/allowed"): (READ, TENANT),
    ("GET", "/v1/subjects/{subject}/may/{request}"): (READ, TENANT),
    ("POST", "/v1/subjects/{subject}/events"): (OPERATE, TENANT),
    ("GET", "/v1/why"): (READ, TENANT),
    ("GET", "/v1/records"): (READ, TENANT),
    ("GET", "/v1/orders"): (READ, TENANT),
    ("GET", "/v1/due"): (READ, TENANT),
    ("GET", "/v1/forecast"): (READ, TENANT),
    ("GET", "/v1/endpoints"): (READ, TENANT),
    ("POST", "/v1/endpoints"): (ADMIN, TENANT),
    ("GET", "/v1/endpoints/{endpoint}"): (READ, TENANT),
    ("DELETE", "/v1/endpoints/{endpoint}"): (ADMIN, TENANT),
    ("POST", "/v1/endpoints/{endpoint}/rotate"): (ADMIN, TENANT),
    ("GET", "/v1/deliveries"): (READ, TENANT),
    ("POST", "/v1/deliveries/resend"): (OPERATE, TENANT),
    ("GET", "/v1/pauses"): (READ, TENANT),
    ("POST", "/v1/pauses"): (OPERATE, TENANT),
    ("DELETE", "/v1/pauses"): (OPERATE, TENANT),
    ("GET", "/v1/installation/pauses"): (READ, INSTALLATION),
    ("POST", "/v1/installation/pauses"): (ADMIN, INSTALLATION),
    ("DELETE", "/v1/installation/pauses"): (ADMIN, INSTALLATION),
    ("GET", "/v1/clock"): (READ, TENANT),
    ("POST", "/v1/clock/advance"): (OPERATE, TENANT),
    ("GET", "/v1/installation/simulations"): (READ, INSTALLATION),
    ("POST", "/v1/installation/simulations"): (ADMIN, INSTALLATION),
    ("POST", "/v1/installation/forks"): (ADMIN, INSTALLATION),
    ("GET", "/v1/lifecycles"): (READ, TENANT),
    ("GET", "/v1/lifecycles/{lifecycle}"): (READ, TENANT),
    ("GET", "/v1/lifecycles/{lifecycle}/snapshot"): (READ, TENANT),
    ("GET", "/v1/lifecycles/{lifecycle}/requests/{request}"): (READ, TENANT),
}
"""Every route and what it asks for; a route that is not here fails the tests."""
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/v1/subjects/{subject}/events"): {"request": "suspend"},
    ("POST", "/v1/endpoints"): {"id": "other", "url": "https://example.com/hook"},
    ("POST", "/v1/endpoints/{endpoint}/rotate"): {},
    ("POST", "/v1/deliveries/resend"): {"endpoint": "hook", "dead": True},
    ("POST", "/v1/pauses"): {"reason": "a test", "lifecycle": "hosting"},
    ("POST", "/v1/installation/pauses"): {"reason": "a test", "lifecycle": "hosting"},
    ("POST", "/v1/clock/advance"): {"to": "2025-01-01T00:00:00Z"},
    ("POST", "/v1/installation/simulations"): {"tenant": "whatif"},
    ("POST", "/v1/installation/forks"): {
        "tenant": "acme",
        "subjects": ["sub-1"],
        "into": "whatif",
    },
}
FINE = {
    ("DELETE", "/v1/pauses"): {404},
    ("DELETE", "/v1/installation/pauses"): {404},
    ("POST", "/v1/subjects/{subject}/events"): {200},
    ("POST", "/v1/clock/advance"): {409},
}
"""What those answer that are let in, where it is not that all went well."""
ROUTES = sorted(NEEDS)
FILLED = {
    "{subject}": "sub-1",
    "{endpoint}": "hook",
    "{lifecycle}": "subscription",
    "{request}": "suspend",
}
"""What stands for the names in a path; the tenant acme has all of it."""


def send(client: "Client", route: tuple[str, str], **headers: str) -> Any:
    """Send a request that is right in all but, perhaps, who sends it."""
    method, path = route
    for name, value in FILLED.items():
        path = path.replace(name, value)
    sent = {"Idempotency-Key": "walk", **headers}
    query = {"of": "sold#0"} if path == "/v1/why" else None
    return client.send(method, path, params=query, json=BODIES.get(route), headers=sent)


def fill(door: "Door") -> "Client":
    """Give the tenant acme a subscription and an endpoint; return its admin."""
    client = door.client(ADMIN)
    assert client.sell("sub-1", key="sold").status_code == 201
    hook = {"id": "hook", "url": "https://example.com/acme"}
    assert client.send("POST", "/v1/endpoints", json=hook).status_code == 201
    return client


def routes() -> Iterator[Route]:
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, Route)
            yield route


def test_every_route_of_the_application_is_listed_with_what_it_needs(door: "Door") -> None:
    found = {
        (method, route.path): None if route.role is None else (route.role, route.scope)
        for route in routes()
        for method in route.methods or ()
    }

    assert found == NEEDS
    documented = door.app.openapi()["paths"]
    assert {(m.upper(), path) for path, operations in documented.items() for m in operations} == {
        route for route in NEEDS if route != ("GET", "/openapi.json")
    }


def test_a_route_that_does_not_say_which_role_it_needs_cannot_be() -> None:
    router = APIRouter(route_class=Route)

    with pytest.raises(TypeError, match="does not say which role it needs"):
        router.get("/v1/secrets")(lambda: None)


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_a_route_lets_in_exactly_the_roles_that_it_names(
    route: tuple[str, str], open_door: Callable[..., "Door"]
) -> None:
    needed = NEEDS[route]
    door: Door | None = None

    for role in Role:
        for tenant in ("acme", None):
            if door is None or route[0] != "GET":
                door = open_door()
                fill(door)
            status = send(door.client(role, tenant=tenant), route).status_code
            scope = INSTALLATION if tenant is None else TENANT
            is_in = needed is None or (role.covers(needed[0]) and scope is needed[1])
            assert (status == 403) is not is_in, (role, tenant, status)
            if is_in:
                fine = FINE.get(route, {200, 201, 204})
                assert status in fine, (role, tenant, status)


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_a_route_lets_nobody_in_without_a_valid_token(
    route: tuple[str, str], open_door: Callable[..., "Door"]
) -> None:
    door = open_door()
    fill(door)
    text = door.token(ADMIN)[1]
    expired = door.token(ADMIN, expires_at=door.clock.now() + timedelta(hours=1))[1]
    revoked, revoked_text = door.token(ADMIN)
    door.store.tokens.revoke(revoked.id, door.clock.now())
    door.clock.move(door.clock.now() + timedelta(hours=1))
    wrong = [
        None,
        "",
        "Bearer",
        f"Basic {text}",
        f"Bearer {text}x",
        f"Bearer {text[:-1]}",
        f"Bearer {text} {text}",
        f"Bearer sublife_{'0' * 16}_{text[-43:]}",
        f"Bearer {expired}",
        f"Bearer {revoked_text}",
    ]

    for each in wrong:
        headers = {} if each is None else {"Authorization": each}
        answer = send(door.anybody(), route, **headers)
        if NEEDS[route] is None:
            assert answer.status_code == 200
        else:
            assert answer.status_code == 401, each
            assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="sublife"')
            assert answer.json()["code"] == "UNAUTHORIZED"


def test_a_token_of_one_tenant_sees_and_changes_nothing_of_another(door: "Door") -> None:
    ours = fill(door)
    before = [ours.get(path).json() for path in ("/v1/subjects/sub-1", "/v1/endpoints")]
    theirs = door.client(ADMIN, tenant="bellows")

    answers = {route: send(theirs, route) for route in ROUTES}

    for route, answer in answers.items():
        path = route[1]
        of_ours = path in {"/v1/deliveries/resend", "/v1/why"}
        if "{subject}" in path or "{endpoint}" in path or of_ours:
            assert answer.status_code == 404, route
        elif NEEDS[route] is not None and NEEDS[route] != (ADMIN, INSTALLATION):
            assert "sub-1" not in answer.text, route
            assert "acme" not in answer.text, route
    assert answers["GET", "/v1/due"].json() == {"items": [], "next": None}
    assert answers["GET", "/v1/records"].json() == {"items": [], "next": None}
    assert answers["GET", "/v1/orders"].json() == {"items": [], "next": None}
    assert answers["GET", "/v1/endpoints"].json() == []
    assert answers["GET", "/v1/deliveries"].json() == {"items": [], "next": None}
    assert [ours.get(path).json() for path in ("/v1/subjects/sub-1", "/v1/endpoints")] == before


def test_a_cursor_of_one_tenant_is_none_of_another(door: "Door") -> None:
    ours = fill(door)
    ours.sell("sub-2")
    following = ours.get("/v1/due", params={"limit": 1}).json()["next"]

    answer = door.client(READ, tenant="bellows").get(following)

    assert (answer.status_code, answer.json()["code"]) == (400, "BAD_CURSOR")


def test_a_token_pauses_its_own_tenant_alone(door: "Door") -> None:
    acme, bellows = door.client(OPERATE), door.client(OPERATE, tenant="bellows")

    acme.send("POST", "/v1/pauses", json={"reason": "stocktaking"})

    assert [each["tenant"] for each in acme.get("/v1/pauses").json()] == ["acme"]
    assert bellows.get("/v1/pauses").json() == []
    answer = bellows.send("DELETE", "/v1/pauses")
    assert answer.status_code == 404
    assert "acme" not in answer.text
    assert acme.sell("sub-1").json()["code"] == "PAUSED"
    assert bellows.sell("sub-1").status_code == 201


def test_without_any_token_this_machine_alone_may_ask(door: "Door") -> None:
    for host in ("localhost", "localhost:8321", "127.0.0.1:8321", "[::1]:8321"):
        assert door.anybody(host).get("/v1/due").status_code == 200


@pytest.mark.parametrize("host", ["example.com", "127.0.0.1.example.com", "10.0.0.1:80", "x"])
def test_a_page_that_lies_about_its_name_does_not_get_in(door: "Door", host: str) -> None:
    answer = door.anybody(host).get("/v1/due")

    assert (answer.status_code, answer.json()["code"]) == (403, "FOREIGN_SITE")


def test_a_page_of_another_site_does_not_get_in(door: "Door") -> None:
    client = door.anybody()

    refused = client.get("/v1/due", headers={"Origin": "https://example.com"})
    own = client.get("/v1/due", headers={"Origin": "http://localhost"})

    assert (refused.status_code, own.status_code) == (403, 200)
    assert "access-control-allow-origin" not in own.headers


def test_as_soon_as_there_is_a_token_every_request_needs_one(door: "Door") -> None:
    client = door.anybody()
    before = client.get("/v1/due").status_code

    token, text = door.token(READ)
    after = client.get("/v1/due").status_code
    door.store.tokens.revoke(token.id, door.clock.now())

    assert (before, after, client.get("/v1/due").status_code) == (200, 401, 401)
    assert text not in repr(token)


def test_nobody_comes_in_without_a_token_where_others_can_reach_the_address(
    url: str, open_door: Callable[..., "Door"]
) -> None:
    door = open_door(url, is_local=False)

    assert door.anybody().get("/v1/due").status_code == 401
    assert door.anybody().get("/healthz").status_code == 200


def test_what_a_proxy_says_of_the_caller_is_not_believed(door: "Door") -> None:
    headers = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "localhost"}

    answer = door.anybody("example.com").get("/v1/due", headers=headers)

    assert answer.status_code == 403


def test_loopback_is_what_nobody_else_can_reach() -> None:
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "example.com", "")))  # noqa: S104
