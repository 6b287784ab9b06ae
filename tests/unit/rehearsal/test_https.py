"""The drill's checks of HTTPS fail for each way in which a site can get it wrong."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import httpx
import pytest

from rehearsal.drills.https import HSTS, https_checks, refusal_of
from rehearsal.drills.site import Site
from rehearsal.region import ca

NAME, BALANCER = "www.rehearsal.test", "balancer.elb.amazonaws.com"
MISMATCH = (
    "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: Hostname mismatch, certificate is not valid for "
    f"'{BALANCER}'. (_ssl.c:1006)"
)


class Answers:
    """The answers of a correct site."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == BALANCER:
            return self.by_another_name()
        return self.over_https(request) if request.url.scheme == "https" else self.over_http(request)

    def over_https(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Strict-Transport-Security": HSTS})

    def over_http(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(301, headers={"Location": str(request.url.copy_with(scheme="https"))})

    def by_another_name(self) -> httpx.Response:
        raise httpx.ConnectError(MISMATCH)


class NoHeader(Answers):
    def over_https(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200)


class NoHeaderOnErrors(Answers):
    def over_https(self, request: httpx.Request) -> httpx.Response:
        return super().over_https(request) if request.url.path == "/" else httpx.Response(404)


class NoRedirect(Answers):
    def over_http(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200)


class RedirectToFirstPage(Answers):
    def over_http(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(301, headers={"Location": f"https://{NAME}/"})


class HeaderOverHttp(Answers):
    def over_http(self, request: httpx.Request) -> httpx.Response:
        answer = super().over_http(request)
        answer.headers["Strict-Transport-Security"] = HSTS
        return answer


class AnyName(Answers):
    def by_another_name(self) -> httpx.Response:
        return httpx.Response(200)


@pytest.mark.parametrize(
    ("answers", "failed"),
    [
        (Answers, []),
        (NoHeader, ["HTTPS required of browsers"]),
        (NoHeaderOnErrors, ["HTTPS required of browsers"]),
        (NoRedirect, ["HTTP redirects to HTTPS"]),
        (RedirectToFirstPage, ["HTTP redirects to HTTPS"]),
        (HeaderOverHttp, ["HTTP redirects to HTTPS"]),
        (AnyName, ["certificate checked: a wrong name is refused"]),
    ],
)
def test_each_fault_fails_its_check(answers: type[Answers], failed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    client, transport = httpx.Client, httpx.MockTransport(answers())
    monkeypatch.setattr(httpx, "Client", lambda **options: client(transport=transport, **options))
    site = Mock(spec=Site, url=f"https://{NAME}", outputs={"balancer_address": BALANCER})
    checks = list(https_checks(site))
    assert len(checks) == 3
    assert [check.name for check in checks if not check.passed] == failed


@pytest.fixture
def server(tmp_path: Path) -> Iterator[int]:
    """The port of an HTTPS server on this host whose certificate is for `localhost`."""
    authority = ca.CertificateAuthority()
    authority.sign(tmp_path, "localhost")
    (tmp_path / ca.FILE).write_text(authority.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    with http.server.HTTPServer(("127.0.0.1", 0), NoPage) as serving:
        serving.socket = context.wrap_socket(serving.socket, server_side=True)
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield serving.server_port
        serving.shutdown()


class NoPage(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002  (the library's name)


def test_a_client_accepts_the_certificate_for_its_name_only(
    server: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / ca.FILE))
    with httpx.Client() as visitor:
        assert refusal_of(visitor, f"https://localhost:{server}/") == "status 404"
        assert "mismatch" in refusal_of(visitor, f"https://127.0.0.1:{server}/")
    monkeypatch.delenv("SSL_CERT_FILE")
    with httpx.Client() as visitor:
        assert "local issuer" in refusal_of(visitor, f"https://localhost:{server}/")
