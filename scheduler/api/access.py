"""Who asks, and may they: bearer tokens, roles, tenants, and the route that sees to it."""

import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import StrEnum
from time import perf_counter
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute

from sublife.events.logs import log
from sublife.events.store import Store
from sublife.events.store.error import UnreadableError
from sublife.events.token import Role, Token, id_of, is_text_of
from sublife.lifecycle.model import Actor, ActorKind
from sublife.scheduler.api.document import Document
from sublife.scheduler.api.interface import Interface, interface_of
from sublife.scheduler.api.limit import bounded, too_large
from sublife.scheduler.api.problem import Problem, answer_of, documented, problem
from sublife.scheduler.listen import is_loopback
from sublife.scheduler.tracing import span

_BEARER = re.compile(r"(?i:bearer) +([!-~]+)")
_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Scope(StrEnum):
    """What a route is about."""

    TENANT = "tenant"
    INSTALLATION = "installation"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Args:
        id: of the token; empty while there are no tokens.
        label: of the token.
        role: what it may do.
        tenant: whose rows it may see; `None` for none.
        installation: whether it may see what concerns the whole installation.
    """

    id: str
    label: str
    role: Role
    tenant: str | None
    installation: bool

    @property
    def name(self) -> str:
        """The caller as it stands in every change: the token's label and id (EVT-06)."""
        return f"{self.label}:{self.id}" if self.id else self.label

    @property
    def actor(self) -> Actor:
        """The caller as the actor of a change."""
        return Actor(ActorKind.APPLICATION, self.name)


def needs(role: Role | None, scope: Scope = Scope.TENANT) -> dict[str, Any]:
    """Return what a route says of who may use it; it stands in the OpenAPI document too.

    Args:
        role: the least that is needed; `None` for anybody, without a token.
        scope: whether the token must be one of a tenant or of the installation.
    """
    if role is None:
        return {"x-role": None, "security": []}
    return {"x-role": role.value, "x-scope": scope.value, "security": [{"bearer": []}]}


class Route(APIRoute):
    """A route that says which role it needs, and lets nobody else in.

    It looks first at the caller, then at the form of the request, and only then at its content;
    it counts, traces and logs what came of it.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **more: Any) -> None:
        extra: dict[str, Any] = more.get("openapi_extra") or {}
        if "x-role" not in extra:
            raise TypeError(f"the route {path} does not say which role it needs; give it needs(…)")
        self.role = None if extra["x-role"] is None else Role(extra["x-role"])
        self.scope = Scope(extra.get("x-scope", Scope.TENANT))
        more["responses"] = self._answers(path, more) | (more.get("responses") or {})
        super().__init__(path, endpoint, **more)

    def _answers(self, path: str, more: Any) -> dict[int | str, dict[str, Any]]:
        """Return the problems that any such route can answer with."""
        statuses = {400, 500, 503}
        if self.role is not None:
            statuses |= {401, 403, 422, 429}
        if "{" in path:
            statuses |= {404}
        if _CHANGING & set(more.get("methods") or ()):
            statuses |= {413, 415}
        return documented(*statuses)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request to this route."""
        original = super().get_route_handler()

        async def answer(request: Request) -> Response:
            interface = interface_of(request)
            begun = perf_counter()
            about = {"http.route": self.path, "http.request.method": request.method}
            with span("request", about, carrier=request.headers) as traced:
                try:
                    response = await self._let_in(request, interface, original)
                except Exception as error:  # noqa: BLE001 – every error becomes an answer
                    response = answer_of(error) or _unexpected()
                    if response.status_code >= 500:
                        _tell(error, self.path, response.status_code)
                traced.set_attribute("http.response.status_code", response.status_code)
            taken = perf_counter() - begun
            interface.metrics.answered(self.path, request.method, response.status_code, taken)
            caller: Caller | None = getattr(request.state, "caller", None)
            tell = log.info if request.method in _CHANGING else log.debug
            tell(
                "request_answered",
                route=self.path,
                method=request.method,
                status=response.status_code,
                token=caller.id if caller else None,
                tenant=caller.tenant if caller else None,
            )
            return response

        return answer

    async def _let_in(
        self,
        request: Request,
        interface: Interface,
        original: Callable[[Request], Coroutine[Any, Any, Response]],
    ) -> Response:
        if self.role is not None:
            caller = await run_in_threadpool(_caller, request, interface)
            request.state.caller = caller
            _check_role(caller, self.role, self.scope)
        most = interface.limits.body_bytes
        _check_form(request, most)
        return await original(Document(request.scope, bounded(request.receive, most)))


def _unexpected() -> Response:
    """Return that something is wrong with us."""
    return problem(500, "INTERNAL_ERROR", "something went wrong here; the log says where")


def _tell(error: Exception, path: str, status: int) -> None:
    """Log what went wrong, and where; its own words may name a customer."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else None
    name = type(error).__name__
    reason = error.where if isinstance(error, UnreadableError) else None
    log.error("request_failed", route=path, status=status, error=name, place=place, reason=reason)


def _caller(request: Request, interface: Interface) -> Caller:
    """Return who asks.

    Raises:
        Problem: 401 where nobody knows, 403 where a request comes by way of another site, 429
            where there are too many.
    """
    peer = request.client.host if request.client else "unknown"
    given = request.headers.get("authorization")
    if given is None:
        _take(interface, peer)
        return _without_token(request, interface)
    found = _BEARER.fullmatch(given)
    text = found[1] if found else ""
    identifier = id_of(text)
    token = _known(interface, identifier) if identifier else None
    is_known = is_text_of(token, text)
    if token is None or not is_known or not token.is_valid(interface.clock.now()):
        _take(interface, peer)
        raise _unauthorized("the token is not valid; ask for another one", 'error="invalid_token"')
    _take(interface, token.id)
    return Caller(token.id, token.label, token.role, token.tenant, token.tenant is None)


def _known(interface: Interface, identifier: str) -> Token | None:
    """Return the token of an id, unless its row cannot be read: such a token opens nothing."""
    try:
        return interface.store.tokens.find(identifier)
    except UnreadableError as error:
        log.error("token_unreadable", token=identifier, reason=error.where)
        return None


def _take(interface: Interface, caller: str) -> None:
    wait = interface.buckets.take(caller)
    if wait:
        raise Problem(
            429,
            "TOO_MANY_REQUESTS",
            f"more than {interface.limits.rate:g} requests per second; wait, then go on",
            headers={"Retry-After": str(int(wait) + 1)},
        )


def _unauthorized(sentence: str, more: str = "") -> Problem:
    challenge = 'Bearer realm="sublife"' + (f", {more}" if more else "")
    return Problem(401, "UNAUTHORIZED", sentence, headers={"WWW-Authenticate": challenge})


def _without_token(request: Request, interface: Interface) -> Caller:
    """Let anybody on this machine in who is no page of a browser, until there is a token."""
    if not interface.is_open():
        raise _unauthorized("a token is needed; send Authorization: Bearer and the token")
    host = request.headers.get("host", "")
    name = host.rpartition(":")[0] if re.search(r":\d+\Z", host) else host
    origin = request.headers.get("origin")
    if not is_loopback(name) or (origin is not None and origin != f"http://{host}"):
        raise Problem(
            403,
            "FOREIGN_SITE",
            "the request comes by way of another site; without a token only this machine may ask, "
            "by the name localhost",
        )
    return Caller("", "loopback", Role.ADMIN, interface.tenant, installation=True)


def _check_role(caller: Caller, role: Role, scope: Scope) -> None:
    if not caller.role.covers(role):
        raise Problem(
            403, "ROLE", f"this needs the role {role}, and the token has {caller.role}; use another"
        )
    if scope is Scope.INSTALLATION and not caller.installation:
        raise Problem(
            403, "SCOPE", "this concerns every tenant; use a token of the whole installation"
        )
    if scope is Scope.TENANT and caller.tenant is None:
        raise Problem(403, "SCOPE", "this concerns one tenant; use a token of that tenant")


def _check_form(request: Request, most: int) -> None:
    """Look at what the headers say of the body, before it is read."""
    length = request.headers.get("content-length", "0")
    has_body = length != "0" or "transfer-encoding" in request.headers
    if request.method not in _CHANGING or not has_body:
        return
    if not length.isdecimal() or int(length) > most:
        raise too_large(most)
    sort, _, rest = request.headers.get("content-type", "").partition(";")
    charset = rest.strip().lower().replace('"', "")
    if sort.strip().lower() != "application/json" or charset not in {"", "charset=utf-8"}:
        raise Problem(
            415, "UNSUPPORTED_MEDIA_TYPE", "the body is no application/json; send JSON in UTF-8"
        )


def _the_caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


TheCaller = Annotated[Caller, Depends(_the_caller)]


def _the_store(request: Request, caller: TheCaller) -> Store:
    return interface_of(request).store_of(caller.tenant or "")


TheStore = Annotated[Store, Depends(_the_store)]
"""The store of the caller's tenant, by that tenant's clock."""


def _the_interface(request: Request) -> Interface:
    return interface_of(request)


TheInterface = Annotated[Interface, Depends(_the_interface)]
