"""A session probe finds lost data, and no error when nothing is lost; an address probe finds an outage."""

from __future__ import annotations

import hashlib
import json
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from rehearsal.probes import visitors
from rehearsal.probes.address import AddressProbe
from rehearsal.probes.visitors import SessionProbe
from rehearsal.region.ca import CertificateAuthority


@dataclass
class Shop:
    """A short form of tests/sessions-app; `sessions`: all sessions by identifier."""

    url: str
    server: ThreadingHTTPServer
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
    monkeypatch.setattr(visitors, "SESSION_PERIOD", 0.01)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
            cookie = SimpleCookie(self.headers.get("Cookie", "")).get("PHPSESSID")
            identifier, output = app.answer(self.path, form, cookie.value if cookie else None)
            self.send_response(app.status)
            self.send_header("Set-Cookie", f"PHPSESSID={identifier}; path=/")
            self.end_headers()
            self.wfile.write(json.dumps(output).encode())

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        app = Shop(f"http://127.0.0.1:{server.server_port}", server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield app
        server.shutdown()


@pytest.fixture
def visitor(shop: Shop) -> SessionProbe:
    """A stopped visitor with at least ten visits."""
    visitor = SessionProbe("visitor 1", shop.url)
    until(lambda: visitor.visits >= 10)
    visitor.stop()
    return visitor


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_visitor_whose_session_is_kept_finds_no_error(shop: Shop, visitor: SessionProbe) -> None:
    (session,) = shop.sessions.values()
    assert len(session["cart"]) > 1
    assert visitor.verify_session() is None
    assert (visitor.lost_visits, visitor.lost_sessions) == (0, 0)
    assert visitor.acknowledged == list(range(1, visitor.visits + 1))
    assert all(attempt.error is None for attempt in visitor.attempts)


def test_a_visitor_finds_lost_visits(shop: Shop, visitor: SessionProbe) -> None:
    (session,) = shop.sessions.values()
    session["counter"] -= 3
    assert "follows visit" in (visitor.verify_session() or "")
    assert (visitor.lost_visits, visitor.lost_sessions) == (3, 0)


def test_a_visitor_finds_an_item_missing_from_the_cart(shop: Shop, visitor: SessionProbe) -> None:
    (session,) = shop.sessions.values()
    session["cart"].pop(0)
    assert visitor.verify_session() == "missing from the cart: item 0"
    assert (visitor.lost_visits, visitor.lost_sessions) == (0, 1)


def test_a_visitor_finds_another_user_in_its_session(shop: Shop, visitor: SessionProbe) -> None:
    (session,) = shop.sessions.values()
    session["user"] = "visitor 2"
    assert visitor.verify_session() == "logged in as visitor 2"
    assert (visitor.lost_visits, visitor.lost_sessions) == (0, 1)


def test_a_visitor_without_its_session_is_logged_out(shop: Shop, visitor: SessionProbe) -> None:
    shop.sessions.clear()
    assert visitor.verify_session() == "logged out"
    assert visitor.lost_sessions == 1


def test_an_error_status_is_not_a_lost_session(shop: Shop, visitor: SessionProbe) -> None:
    shop.status = 503
    assert visitor.verify_session() == "status 503"
    shop.status = 200
    assert visitor.verify_session() is None
    assert (visitor.lost_visits, visitor.lost_sessions) == (0, 0)


def test_a_visitor_checks_the_certificate(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ca, other = CertificateAuthority(), CertificateAuthority()
    ca.sign(tmp_path, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    shop.server.socket = context.wrap_socket(shop.server.socket, server_side=True)
    address = shop.url.replace("http:", "https:")
    for url, trusted, served in (
        (address, ca, True),
        (address, other, False),
        (address.replace("127.0.0.1", "localhost"), ca, False),
    ):
        (tmp_path / "trusted.pem").write_text(trusted.certificate)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
        visitor = SessionProbe("visitor 1", url)
        until(lambda visitor=visitor: len(visitor.attempts) >= 3)  # type: ignore[misc]
        visitor.stop()
        errors = {attempt.error for attempt in visitor.attempts}
        assert errors == ({None} if served else {"ConnectError"})


def test_an_address_without_a_listener_is_an_outage() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    probe = AddressProbe(*listener.getsockname())
    with closing(listener):
        until(lambda: probe.succeeded_since(0))
    closed = time.time()
    until(lambda: any(attempt.start > closed and attempt.error for attempt in list(probe.attempts)))
    probe.stop()
    assert probe.outage(closed, time.time()) > 0
    assert not probe.succeeded_since(closed)
