"""A probe finds what the site forgot, and nothing where it forgot nothing."""

from __future__ import annotations

import hashlib
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest

from rehearsal.probes import base
from rehearsal.probes.base import AddressProbe, SessionProbe


@dataclass
class Shop:
    """tests/sessions-app in few lines: the sessions by their identifiers."""

    url: str
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    status: int = 200

    def answer(self, path: str, form: dict[str, list[str]], identifier: str | None) -> tuple[str, dict[str, Any]]:
        if identifier not in self.sessions or "user" in form:
            identifier = secrets.token_hex()
        session = self.sessions.setdefault(identifier, {"counter": 0, "cart": [], "user": None})
        if path == "/":
            session["counter"] += 1
        session["cart"] += form.get("item", [])
        session["user"] = form.get("user", [session["user"]])[0]
        return identifier, session | {"session": hashlib.sha256(identifier.encode()).hexdigest()}


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setattr(base, "SESSION_PERIOD", 0.01)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
            cookie = SimpleCookie(self.headers.get("Cookie", "")).get("PHPSESSID")
            identifier, output = made.answer(self.path, form, cookie.value if cookie else None)
            self.send_response(made.status)
            self.send_header("Set-Cookie", f"PHPSESSID={identifier}; path=/")
            self.end_headers()
            self.wfile.write(json.dumps(output).encode())

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Nobody wants to know."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made = Shop(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield made
        server.shutdown()


@pytest.fixture
def visitor(shop: Shop) -> SessionProbe:
    """Someone who was here for a while, and has nothing wrong to tell."""
    visitor = SessionProbe("visitor 1", shop.url)
    until(lambda: visitor.visits >= 10)
    visitor.stop()
    return visitor


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_visitor_whose_session_lives_misses_nothing(shop: Shop, visitor: SessionProbe) -> None:
    (session,) = shop.sessions.values()
    assert len(session["cart"]) > 1
    assert visitor.look_back() is None
    assert (visitor.lost_visits, visitor.lost_sessions) == (0, 0)
    assert visitor.acknowledged == list(range(1, visitor.visits + 1))
    assert all(attempt.error is None for attempt in visitor.attempts)


def test_a_visitor_sees_a_counter_go_back(shop: Shop, visitor: SessionProbe) -> None:
    (session,) = shop.sessions.values()
    session["counter"] -= 3
    assert "comes after" in (visitor.look_back() or "")
    assert (visitor.lost_visits, visitor.lost_sessions) == (3, 0)


def test_a_visitor_sees_that_something_left_the_cart(shop: Shop, visitor: SessionProbe) -> None:
    (session,) = shop.sessions.values()
    session["cart"].pop(0)
    assert visitor.look_back() == "item 0 is not in the cart"
    assert (visitor.lost_visits, visitor.lost_sessions) == (0, 1)


def test_a_visitor_sees_that_somebody_else_is_logged_in(shop: Shop, visitor: SessionProbe) -> None:
    (session,) = shop.sessions.values()
    session["user"] = "visitor 2"
    assert visitor.look_back() == "visitor 2 is logged in"
    assert (visitor.lost_visits, visitor.lost_sessions) == (0, 1)


def test_a_visitor_whose_session_is_gone_is_nobody(shop: Shop, visitor: SessionProbe) -> None:
    shop.sessions.clear()
    assert visitor.look_back() == "nobody is logged in"
    assert visitor.lost_sessions == 1


def test_a_site_that_fails_has_lost_nothing_yet(shop: Shop, visitor: SessionProbe) -> None:
    shop.status = 503
    assert visitor.look_back() == "status 503"
    shop.status = 200
    assert visitor.look_back() is None
    assert (visitor.lost_visits, visitor.lost_sessions) == (0, 0)


def test_an_address_is_held_while_someone_answers_there() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    probe = AddressProbe(*listener.getsockname())
    with closing(listener):
        until(lambda: probe.succeeded_since(0))
    let_go = time.time()
    until(lambda: any(attempt.start > let_go and attempt.error for attempt in list(probe.attempts)))
    probe.stop()
    assert probe.outage(let_go, time.time()) > 0
    assert not probe.succeeded_since(let_go)
