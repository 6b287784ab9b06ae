"""haproxy/haproxy.sh and keepalived/keepalived.sh, on two balancers with a public and a private interface each.

The web nodes are stand-ins in this process. The stages are `balancers`, `webs`, `haproxies`, `secure`, `obtaining` and
`holder`.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType

import httpx
import pytest

from components.config.settings import Acme
from components.haproxy import haproxy
from components.haproxy.acme import acme_params, thumbprint
from components.keepalived import keepalived
from components.machine.remote import RESTART
from components.machine.template import render
from rehearsal.plugins import tls
from rehearsal.region.acme import AcmeServer
from rehearsal.region.ca import CertificateAuthority
from rehearsal.region.endpoint import Lan
from rehearsal.region.network import ip
from rehearsal.region.region import Region
from rehearsal.system.shell import run
from tests.scripts.node import KILLS, Node, plain_machines
from tests.scripts.params import create

VISITORS = Lan("visitors", ipaddress.IPv4Network("198.18.1.0/24"), routed=True)
STORAGE = Lan("storage", ipaddress.IPv4Network("10.30.0.0/24"), routed=False)
VIRTUAL_IP = "198.18.1.100"
WEB_PORT = 8080
OUTAGE_LIMIT = 5.0
"""Seconds for which the address may not answer in a rehearsal. A busy machine gets three times that here."""
NAME = "www.example.com"
AUTHORITY = CertificateAuthority()
ACME = Acme(email="editor@rehearsal.test")
ACCOUNT = create(tls.PrivateKey(), algorithm="ECDSA", ecdsaCurve="P256")
"""The key of the account at the ACME server."""
HOME = acme_params(NAME, ACME)["ACME_HOME"]
STATS = f"http://127.0.0.1:{haproxy.OWN_PORT}/;csv"


@dataclass
class Web(ThreadingHTTPServer):
    """Stand-in for a web node: it answers with its name and the headers of the request."""

    name: str
    address: str
    healthy: bool = True
    silent: bool = False
    """Whether a visitor's request is read and its connection then closed without an answer."""
    without_php: bool = False
    """Whether a visitor's request is answered 502, as nginx does while PHP restarts."""
    asked: list[str] = field(default_factory=list)
    """The requests without health checks."""

    daemon_threads = True

    def __post_init__(self) -> None:
        super().__init__((self.address, WEB_PORT), WebHandler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """Ignore a health check that closes its connection early."""

    __hash__ = ThreadingHTTPServer.__hash__


class WebHandler(BaseHTTPRequestHandler):
    server: Web
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/healthz":
            self._answer(200 if self.server.healthy else 503, b"")
            return
        self.server.asked.append(f"{self.command} {self.path} {body.decode()}".strip())
        if self.server.silent:
            self.close_connection = True
        elif self.server.without_php:
            self._answer(502, b"")
        elif self.path == "/slow":
            # ten parts over two seconds
            self.send_response(200)
            self.send_header("Content-Length", "10")
            self.end_headers()
            for _ in range(10):
                self.wfile.write(b".")
                threading.Event().wait(0.2)
        elif self.path == "/stricter":
            self._answer(200, b"", {"Strict-Transport-Security": "max-age=1; includeSubDomains"})
        else:
            output = {"name": self.server.name, "headers": {key.lower(): value for key, value in self.headers.items()}}
            self._answer(200, json.dumps(output).encode())

    do_POST = do_GET  # noqa: N815

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def ask(address: str, path: str = "/", method: str = "GET", body: str | None = None, **headers: str) -> tuple[int, str]:
    """The status and the body of an answer, on a new connection."""
    connection = HTTPConnection(address, timeout=5)
    try:
        connection.request(method, path, body, {key.replace("_", "-"): value for key, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def eventually(holds: Callable[[], bool], within: float) -> float:
    """Wait at most `within` seconds until something holds; returns the seconds that it took."""
    start = time.monotonic()
    while not holds():
        assert time.monotonic() < start + within, f"not within {within} s"
        time.sleep(0.02)
    return time.monotonic() - start


@pytest.fixture(scope="module")
def balancers(region: Region) -> Iterator[dict[str, Node]]:
    """lb1 and lb2, with HAProxy and keepalived as their packages leave them."""
    for network in (VISITORS, STORAGE):
        region.network.new_lan(network)
    ports = {
        name: [
            region.network.new_lan_port("eth0", VISITORS, str(VISITORS.subnet.network_address + place)),
            region.network.new_lan_port("eth1", STORAGE, str(STORAGE.subnet.network_address + place)),
        ]
        for place, name in enumerate(("lb1", "lb2"), 11)
    }
    with plain_machines(region, ports) as nodes:
        yield nodes


@pytest.fixture(scope="module")
def webs(balancers: Mapping[str, Node]) -> Iterator[dict[str, Web]]:
    """web1, web2 and web3, on the private network."""
    assert balancers
    run("ip", "link", "add", "storage", "type", "veth", "peer", "name", "webs", "netns", "region")
    ip("region", "link set webs master storage", "link set webs up")
    run("ip", "link", "set", "storage", "up")
    made = {}
    for place, name in enumerate(("web1", "web2", "web3"), 21):
        address = str(STORAGE.subnet.network_address + place)
        run("ip", "addr", "add", f"{address}/{STORAGE.subnet.prefixlen}", "dev", "storage")
        made[name] = Web(name, address)
    yield made
    for web in made.values():
        web.shutdown()
        web.server_close()


@pytest.fixture(scope="module")
def haproxies(balancers: dict[str, Node], webs: Mapping[str, Web]) -> dict[str, Node]:
    """The balancers with HAProxy in front of web1 and web2."""
    for name, node in balancers.items():
        node.step("haproxy/haproxy.sh", balancing(name, balancers, webs))
    return balancers


@pytest.fixture(autouse=True)
def healthy_webs(balancers: Mapping[str, Node], webs: Mapping[str, Web]) -> None:
    """Set every web node healthy and, where HAProxy runs, wait until it has noticed."""
    for web in webs.values():
        web.healthy, web.silent, web.without_php = True, False, False
    for node in balancers.values():
        if node.run("sh", "-c", "[ ! -e /run/haproxy.sock ] || echo runs"):
            node.eventually("sh", "-c", f"! curl --silent '{STATS}' | grep -q '^web,.*,DOWN'")
    for web in webs.values():
        web.asked.clear()


def balancing(
    own: str,
    balancers: Mapping[str, Node],
    webs: Mapping[str, Web],
    *names: str,
    trusted_proxies: Sequence[str] = (),
    https: bool = False,
    acme: bool = False,
) -> dict[str, str]:
    """Parameters of haproxy/haproxy.sh on the balancer `own`; `names`: the web nodes, web1 and web2 by default.

    `https`: whether it gets a certificate. `acme`: whether it obtains one.
    """
    others = {name: node.address for name, node in balancers.items() if name != own}
    targets = {name: webs[name].address for name in names or ("web1", "web2")}
    return {
        "CONFIG": haproxy.config(
            targets,
            WEB_PORT,
            "/healthz",
            others,
            trusted_proxies,
            https=https or acme,
            thumbprint=thumbprint(ACCOUNT["publicKeyPem"]) if acme else None,
        ),
        "OWN_PORT": str(haproxy.OWN_PORT),
        "RESTART": RESTART.read_text(),
        "HOLD": render(haproxy.HOLD, PORTS="80, 443" if https or acme else "80"),
        **(acme_params(NAME, ACME) | {"ADDRESS": VIRTUAL_IP} if acme else {}),
    }


def processes(node: Node, name: str) -> list[str]:
    """A service's processes with their start times."""
    return node.run("sh", "-c", f"ps -o pid,lstart,args -C {name} || true").splitlines()[1:]


def again(node: Node, script: str, settings: Mapping[str, str], secrets: Mapping[str, str] | None = None) -> None:
    """Run a step that has run before: it must write nothing and leave HAProxy and keepalived running."""
    before = [processes(node, name) for name in ("haproxy", "keepalived")]
    node.again(script, settings, secrets)
    assert [processes(node, name) for name in ("haproxy", "keepalived")] == before


def test_haproxy_sends_visitors_to_the_web_nodes(haproxies: Mapping[str, Node], webs: Mapping[str, Web]) -> None:
    node = haproxies["lb1"]
    public = node.machine.endpoint.ports[0].address
    answers = [json.loads(ask(public)[1])["name"] for _ in range(10)]
    assert Counter(answers) == {"web1": 5, "web2": 5}
    again(node, "haproxy/haproxy.sh", balancing("lb1", haproxies, webs))


def test_haproxy_replaces_the_headers_that_a_visitor_forges(haproxies: Mapping[str, Node]) -> None:
    public = haproxies["lb1"].machine.endpoint.ports[0].address
    forged = {
        "X_Forwarded_For": "1.2.3.4",
        "X_Forwarded_Proto": "https",
        "X_Real_IP": "1.2.3.4",
        "Forwarded": "for=1.2.3.4",
    }
    got = json.loads(ask(public, **forged)[1])["headers"]
    assert got["x-forwarded-for"] == "203.0.113.10"
    assert got["x-forwarded-proto"] == "http"
    assert not {"x-real-ip", "forwarded"} & set(got)


def test_haproxy_keeps_the_visitor_that_a_trusted_proxy_names(
    haproxies: Mapping[str, Node], webs: Mapping[str, Web]
) -> None:
    node = haproxies["lb1"]
    public = node.machine.endpoint.ports[0].address
    try:
        proxies = ["198.51.100.0/24", "2001:db8::/32", "203.0.113.10/32"]
        node.step("haproxy/haproxy.sh", balancing("lb1", haproxies, webs, trusted_proxies=proxies))
        named = json.loads(ask(public, X_Forwarded_For="1.2.3.4, 192.0.2.7")[1])["headers"]
        assert named["x-forwarded-for"] == "1.2.3.4, 192.0.2.7,203.0.113.10"
        assert json.loads(ask(public)[1])["headers"]["x-forwarded-for"] == "203.0.113.10"
        node.step("haproxy/haproxy.sh", balancing("lb1", haproxies, webs, trusted_proxies=proxies[:2]))
        forged = json.loads(ask(public, X_Forwarded_For="1.2.3.4, 192.0.2.7")[1])["headers"]
        assert forged["x-forwarded-for"] == "203.0.113.10"
    finally:
        node.step("haproxy/haproxy.sh", balancing("lb1", haproxies, webs))


def test_haproxys_own_port_is_open_on_its_machine_only(haproxies: Mapping[str, Node]) -> None:
    node = haproxies["lb1"]
    node.run("curl", "--fail", "--silent", f"http://127.0.0.1:{haproxy.OWN_PORT}/health")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((node.address, haproxy.OWN_PORT), timeout=5)


def test_haproxy_removes_an_unhealthy_web_node_and_takes_it_back(
    haproxies: Mapping[str, Node], webs: Mapping[str, Web]
) -> None:
    public = haproxies["lb1"].machine.endpoint.ports[0].address

    def answering() -> set[str]:
        return {json.loads(ask(public)[1])["name"] for _ in range(4)}

    webs["web1"].healthy = False
    eventually(lambda: answering() == {"web2"}, within=15)
    webs["web1"].healthy = True
    eventually(lambda: answering() == {"web1", "web2"}, within=15)
    for name in ("web1", "web2"):
        webs[name].healthy = False
    eventually(lambda: ask(public)[0] == 503, within=15)
    # HAProxy stays healthy without a healthy web node, so that the address does not move
    haproxies["lb1"].run("curl", "--fail", "--silent", f"http://127.0.0.1:{haproxy.OWN_PORT}/health")
    for name in ("web1", "web2"):
        webs[name].healthy = True
    eventually(lambda: ask(public)[0] == 200, within=15)


@pytest.mark.parametrize("failure", ["silent", "without_php"])
def test_haproxy_sends_no_post_twice(haproxies: Mapping[str, Node], webs: Mapping[str, Web], failure: str) -> None:
    public = haproxies["lb1"].machine.endpoint.ports[0].address
    setattr(webs["web1"], failure, True)
    for _ in range(4):
        assert ask(public, "/page")[0] == 200
    assert "GET /page" in webs["web1"].asked
    statuses = [ask(public, f"/form{at}", "POST", "pay")[0] for at in range(4)]
    assert Counter(statuses) == {200: 2, 502: 2}
    sent = [request for web in webs.values() for request in web.asked if request.startswith("POST")]
    assert sorted(sent) == [f"POST /form{at} pay" for at in range(4)]


def test_haproxy_tries_another_when_a_web_node_takes_no_connection(
    haproxies: Mapping[str, Node], webs: Mapping[str, Web]
) -> None:
    """Nothing was sent, so a POST is tried again as well."""
    public = haproxies["lb1"].machine.endpoint.ports[0].address
    refuse = f"add rule inet refusing input ip daddr {webs['web1'].address} reject with tcp reset"
    hook = "add chain inet refusing input { type filter hook input priority 0; }"
    run("nft", "-f", "-", stdin=f"add table inet refusing\n{hook}\n{refuse}\n")
    try:
        assert [ask(public, f"/form{at}", "POST", "pay")[0] for at in range(4)] == [200] * 4
    finally:
        run("nft", "delete", "table", "inet", "refusing")


def test_haproxy_takes_a_new_web_node_without_dropping_a_connection(
    haproxies: Mapping[str, Node], webs: Mapping[str, Web]
) -> None:
    node = haproxies["lb1"]
    public = node.machine.endpoint.ports[0].address
    main = node.run("systemctl", "show", "--property", "MainPID", "haproxy")
    failed: list[object] = []
    slow: list[tuple[int, str]] = []
    end = threading.Event()

    def visit() -> None:
        while not end.is_set():
            try:
                status, _ = ask(public)
                if status != 200:
                    failed.append(status)
            except (OSError, HTTPException) as error:
                failed.append(error)

    visitors = [threading.Thread(target=visit) for _ in range(4)]
    visitors.append(threading.Thread(target=lambda: slow.append(ask(public, "/slow"))))
    for visitor in visitors:
        visitor.start()
    try:
        eventually(lambda: any("GET /slow" in web.asked for web in webs.values()), within=15)
        node.step("haproxy/haproxy.sh", balancing("lb1", haproxies, webs, "web1", "web2", "web3"))
        eventually(lambda: bool(webs["web3"].asked), within=15)
    finally:
        end.set()
        for visitor in visitors:
            visitor.join()
    assert not failed
    assert slow == [(200, "." * 10)]
    assert node.run("systemctl", "show", "--property", "MainPID", "haproxy") == main
    node.step("haproxy/haproxy.sh", balancing("lb1", haproxies, webs))


def test_haproxy_goes_on_as_it_was_when_the_configuration_is_wrong(
    haproxies: Mapping[str, Node], webs: Mapping[str, Web]
) -> None:
    node = haproxies["lb1"]
    settings = balancing("lb1", haproxies, webs)
    output = node.refuses(
        "haproxy/haproxy.sh", settings | {"CONFIG": settings["CONFIG"].replace(f"{webs['web1'].address}:", "nowhere:")}
    )
    assert "could not resolve address 'nowhere'" in output
    again(node, "haproxy/haproxy.sh", settings)


def test_haproxy_restarts_by_itself_however_often(haproxies: Mapping[str, Node]) -> None:
    haproxies["lb2"].survives_kills("haproxy")


def test_haproxy_names_the_process_that_has_its_port(haproxies: Mapping[str, Node], webs: Mapping[str, Web]) -> None:
    node = haproxies["lb2"]
    node.run("systemctl", "stop", "haproxy")
    node.run("systemctl", "start", "nginx")
    try:
        assert '"nginx"' in node.refuses("haproxy/haproxy.sh", balancing("lb2", haproxies, webs))
    finally:
        node.run("systemctl", "stop", "nginx")
    node.step("haproxy/haproxy.sh", balancing("lb2", haproxies, webs))


def certificate() -> dict[str, str]:
    """The secrets of haproxy/haproxy.sh: a new certificate of NAME, that of its authority, and its key."""
    issued = AUTHORITY.issue(NAME)
    return {"CERTIFICATE": issued.certificate + AUTHORITY.certificate + issued.key}


def der(secrets: Mapping[str, str]) -> bytes:
    """The certificate of NAME in these secrets."""
    return ssl.PEM_cert_to_DER_cert(secrets["CERTIFICATE"].split(AUTHORITY.certificate)[0])


@pytest.fixture
def secure(haproxies: Mapping[str, Node], webs: Mapping[str, Web]) -> Iterator[Node]:
    """lb1 with a certificate. Afterwards it has none, and nothing of its key is left."""
    node = haproxies["lb1"]
    node.step("haproxy/haproxy.sh", balancing("lb1", haproxies, webs, https=True), certificate())
    yield node
    node.step("haproxy/haproxy.sh", balancing("lb1", haproxies, webs))
    assert not node.run(
        "sh", "-c", "grep --recursive --files-with-matches 'PRIVATE KEY' /etc/haproxy /run /tmp || true"
    )


def browser(authority: str = AUTHORITY.certificate) -> ssl.SSLContext:
    """The TLS settings of a browser that trusts one authority only. `authority`: its certificate."""
    return ssl.create_default_context(cadata=authority)


def connect(node: Node, context: ssl.SSLContext, name: str = NAME) -> ssl.SSLSocket:
    """A TLS connection to a balancer, as a browser makes it for a name."""
    connection = socket.create_connection((node.machine.endpoint.ports[0].address, haproxy.HTTPS_PORT), timeout=5)
    return context.wrap_socket(connection, server_hostname=name)


def get(node: Node, path: str, context: ssl.SSLContext | None = None) -> httpx.Response:
    """A page by HTTPS, on a new connection."""
    with httpx.Client(verify=context or browser(), timeout=5) as client:
        return client.get(
            f"https://{node.machine.endpoint.ports[0].address}{path}",
            headers={"Host": NAME},
            extensions={"sni_hostname": NAME},
        )


def served(node: Node, context: ssl.SSLContext | None = None) -> bytes:
    """The certificate that a balancer serves."""
    with connect(node, context or browser()) as connection:
        found = connection.getpeercert(binary_form=True)
    assert found
    return found


@contextmanager
def visitors_at_work(node: Node, context: ssl.SSLContext | None = None) -> Iterator[None]:
    """Four visitors, who load one page after another during the block; none may fail."""
    answers: list[object] = []
    end = threading.Event()

    def visit() -> None:
        while not end.is_set():
            try:
                answers.append(get(node, "/", context).status_code)
            except httpx.HTTPError as error:
                answers.append(error)

    visitors = [threading.Thread(target=visit) for _ in range(4)]
    for visitor in visitors:
        visitor.start()
    try:
        eventually(lambda: len(answers) > 20, within=15)
        yield
        seen = len(answers)
        eventually(lambda: len(answers) > seen + 20, within=15)
    finally:
        end.set()
        for visitor in visitors:
            visitor.join()
    assert Counter(answers) == {200: len(answers)}


def test_haproxy_serves_https_to_modern_browsers(
    secure: Node, haproxies: Mapping[str, Node], webs: Mapping[str, Web]
) -> None:
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = browser()
        context.minimum_version = context.maximum_version = version
        context.set_alpn_protocols(["h2"])
        with connect(secure, context) as connection:
            assert connection.version() == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]
            assert connection.selected_alpn_protocol() == "h2"
    sent = secure.run(
        "sh", "-c", f"openssl s_client -connect 127.0.0.1:{haproxy.HTTPS_PORT} -showcerts </dev/null 2>&1"
    )
    assert sent.count("BEGIN CERTIFICATE") == 2
    assert secure.run("stat", "--format=%U %a", "/etc/haproxy/site.pem") == "root 600\n"


def test_haproxy_itself_refuses_the_tls_of_old_browsers(
    secure: Node, haproxies: Mapping[str, Node], webs: Mapping[str, Web]
) -> None:
    old = browser()
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    settings = balancing("lb1", haproxies, webs, https=True)
    # with a cipher of TLS 1.1, and at a level at which OpenSSL does not refuse that version
    lenient = settings["CONFIG"].replace(" ciphers ", " ciphers @SECLEVEL=0:ECDHE-ECDSA-AES128-SHA:")
    assert lenient != settings["CONFIG"]
    secure.step("haproxy/haproxy.sh", settings | {"CONFIG": lenient}, certificate())
    with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        connect(secure, old)


def test_http_redirects_to_https_and_https_says_so(secure: Node) -> None:
    plain = httpx.get(
        f"http://{secure.machine.endpoint.ports[0].address}/cart.php?item=1&to=%2F", headers={"Host": f"{NAME}:80"}
    )
    assert (plain.status_code, plain.headers["Location"]) == (301, f"https://{NAME}/cart.php?item=1&to=%2F")
    assert "Strict-Transport-Security" not in plain.headers
    answer = get(secure, "/")
    assert answer.json()["headers"]["x-forwarded-proto"] == "https"
    assert answer.headers.get_list("Strict-Transport-Security") == ["max-age=31536000"]
    assert get(secure, "/stricter").headers.get_list("Strict-Transport-Security") == ["max-age=1; includeSubDomains"]


def test_a_renewed_certificate_drops_no_request(
    secure: Node, haproxies: Mapping[str, Node], webs: Mapping[str, Web]
) -> None:
    settings, renewed = balancing("lb1", haproxies, webs, https=True), certificate()
    main, before = secure.run("systemctl", "show", "--property", "MainPID", "haproxy"), served(secure)
    with visitors_at_work(secure):
        secure.step("haproxy/haproxy.sh", settings, renewed)
    assert served(secure) == der(renewed) != before
    assert secure.run("systemctl", "show", "--property", "MainPID", "haproxy") == main
    again(secure, "haproxy/haproxy.sh", settings, renewed)


def test_a_key_of_another_certificate_changes_nothing(
    secure: Node, haproxies: Mapping[str, Node], webs: Mapping[str, Web]
) -> None:
    settings, before, state = balancing("lb1", haproxies, webs, https=True), served(secure), secure.state()
    issued = AUTHORITY.issue(NAME)
    output = secure.refuses(
        "haproxy/haproxy.sh", settings, {"CERTIFICATE": issued.certificate + AUTHORITY.issue(NAME).key}
    )
    assert "inconsistencies between private key and certificate" in output
    assert secure.state() == state
    assert served(secure) == before


def test_visitors_wait_while_haproxy_restarts_after_a_crash(secure: Node) -> None:
    secure.run("mv", "/etc/haproxy/haproxy.cfg", "/etc/haproxy/aside.cfg")
    try:
        secure.run("systemctl", "kill", "--signal=KILL", "haproxy")
        secure.eventually("nft", "list", "table", "inet", "ha-wordpress-hold")
        for port in (haproxy.PORT, haproxy.HTTPS_PORT):
            with pytest.raises(TimeoutError):
                socket.create_connection((secure.machine.endpoint.ports[0].address, port), timeout=0.5)
    finally:
        secure.run("mv", "/etc/haproxy/aside.cfg", "/etc/haproxy/haproxy.cfg")
    eventually(lambda: answers(secure.machine.endpoint.ports[0].address, 301), within=15)
    assert get(secure, "/").status_code == 200


@pytest.fixture(scope="module")
def authority(region: Region) -> AcmeServer:
    """An ACME server in the place of Let's Encrypt."""
    return region.new_acme_server(ACME.directory)


@pytest.fixture
def obtaining(
    region: Region, haproxies: Mapping[str, Node], webs: Mapping[str, Web], authority: AcmeServer
) -> Iterator[Mapping[str, Node]]:
    """The balancers, which obtain certificates; NAME leads to none of them yet. Afterwards nothing of it is left."""
    assert authority.root
    for name, node in haproxies.items():
        node.step(
            "haproxy/haproxy.sh", balancing(name, haproxies, webs, acme=True), {"ACCOUNT_KEY": ACCOUNT["privateKeyPem"]}
        )
    yield haproxies
    region.dns.set(NAME, None)
    for name, node in haproxies.items():
        node.step("haproxy/haproxy.sh", balancing(name, haproxies, webs))
        assert not node.run(
            "sh", "-c", "grep -rlE 'PRIVATE KEY|acme' /etc/haproxy /etc/systemd /var/lib/ha-wordpress || true"
        )


def point_domain(region: Region, node: Node) -> None:
    """Let NAME lead to a balancer, as its owner does after the first `up`."""
    region.dns.set(NAME, node.machine.endpoint.ports[0].address)


def obtain(node: Node) -> str:
    """Let a balancer obtain or renew its certificate, as its timer does; returns what it has logged."""
    # not by its invocation: the journal does not know that of a process that has ended already
    new = ("journalctl", "--unit=site-certificate", "--output=cat", "--quiet", "--cursor-file=/run/obtained")
    node.run(*new)
    node.run("sh", "-c", "systemctl start site-certificate || true; journalctl --sync")
    return node.run(*new)


def test_a_balancer_shows_a_certificate_of_its_own_until_its_domain_leads_to_it(
    obtaining: Mapping[str, Node], authority: AcmeServer
) -> None:
    node = obtaining["lb1"]
    address = node.machine.endpoint.ports[0].address
    assert "does not lead to this site's balancers" in obtain(node)
    # its timer may have started it again
    node.eventually("systemctl", "is-failed", "--quiet", "site-certificate.service")
    with pytest.raises(ssl.SSLCertVerificationError, match="self-signed"):
        connect(node, browser(authority.root))
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    answer = get(node, "/", anyone)
    assert (answer.status_code, answer.headers.get("Strict-Transport-Security")) == (200, None)
    assert ask(address, "/page")[0] == 301
    answered = ask(address, "/.well-known/acme-challenge/Az09_-")
    assert answered == (200, f"Az09_-.{thumbprint(ACCOUNT['publicKeyPem'])}")
    for path in (
        "/.well-known/acme-challenge/",
        "/.well-known/acme-challenge/a%0d%0ab",
        "/.well-known/acme-challenge/a/b",
    ):
        assert ask(address, path)[0] == 301


def test_every_balancer_obtains_a_certificate_of_its_own(
    region: Region, obtaining: Mapping[str, Node], webs: Mapping[str, Web], authority: AcmeServer
) -> None:
    # the authority asks lb1 for both
    point_domain(region, obtaining["lb1"])
    visitor = browser(authority.root)
    for node in obtaining.values():
        start = time.monotonic()
        log = obtain(node)
        print(f"{node.name} obtained a certificate in {time.monotonic() - start:.1f} s: {log}")  # noqa: T201
        answer = get(node, "/", visitor)
        assert answer.headers.get_list("Strict-Transport-Security") == ["max-age=31536000"]
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            connect(node, visitor, "www.example.net")
        assert node.run("stat", "--format=%U %a", "/etc/haproxy/site.pem") == "root 600\n"
    first = {name: served(node, visitor) for name, node in obtaining.items()}
    assert len(set(first.values())) == 2
    for name, node in obtaining.items():
        again(
            node,
            "haproxy/haproxy.sh",
            balancing(name, obtaining, webs, acme=True),
            {"ACCOUNT_KEY": ACCOUNT["privateKeyPem"]},
        )
        obtain(node)
        assert served(node, visitor) == first[name]


def test_a_certificate_is_renewed_in_its_last_thirty_days_without_dropping_a_request(
    region: Region, obtaining: Mapping[str, Node], authority: AcmeServer
) -> None:
    node, visitor = obtaining["lb1"], browser(authority.root)
    point_domain(region, node)
    obtain(node)
    before, main = served(node, visitor), node.run("systemctl", "show", "--property", "MainPID", "haproxy")
    # one of AUTHORITY has less than 30 days left
    node.run("tee", f"{HOME}/{NAME}/cert.pem", stdin=AUTHORITY.issue(NAME).certificate)
    with visitors_at_work(node, visitor):
        obtain(node)
    assert served(node, visitor) != before
    assert node.run("systemctl", "show", "--property", "MainPID", "haproxy") == main


def test_an_authority_that_refuses_is_not_asked_again_at_once(
    region: Region, obtaining: Mapping[str, Node], authority: AcmeServer
) -> None:
    node, visitor = obtaining["lb1"], browser(authority.root)
    point_domain(region, node)
    obtain(node)
    before = served(node, visitor)
    # the machine finds the virtual IP under the name, but the authority finds nothing there
    region.dns.set(NAME, None)
    node.run("sh", "-c", f"echo {VIRTUAL_IP} {NAME} >>/etc/hosts; rm {HOME}/{NAME}/cert.pem")
    try:
        refused = obtain(node)
        assert "urn:ietf:params:acme:error" in refused, refused
        assert "in the last 30 minutes" in obtain(node)
        assert served(node, visitor) == before
        node.run("sh", "-c", f"rm {HOME}/asked; sed -i '/{NAME}/d' /etc/hosts")
        point_domain(region, node)
        obtain(node)
        assert served(node, visitor) != before
    finally:
        node.run("sed", "-i", f"/{NAME}/d", "/etc/hosts")


def test_a_killed_renewal_is_in_force_after_the_next(
    region: Region, obtaining: Mapping[str, Node], authority: AcmeServer
) -> None:
    node, visitor = obtaining["lb1"], browser(authority.root)
    point_domain(region, node)
    start = time.monotonic()
    obtain(node)
    whole = time.monotonic() - start
    for at in range(KILLS // 2):
        before = served(node, visitor)
        node.run("rm", "-f", f"{HOME}/{NAME}/cert.pem")
        moment = whole * (2 * at + 1) / KILLS
        node.run("sh", "-c", f"timeout --signal=KILL {moment:.3f} /usr/local/lib/ha-wordpress/site-certificate || true")
        node.run("rm", "-f", f"{HOME}/asked")
        obtain(node)
        assert served(node, visitor) != before
        node.run("haproxy", "-c", "-f", "/etc/haproxy/haproxy.cfg")


def test_a_killed_step_of_haproxy_is_in_force_after_the_next(
    region: Region, obtaining: Mapping[str, Node], webs: Mapping[str, Web]
) -> None:
    node = obtaining["lb1"]
    point_domain(region, node)
    one, other = (balancing("lb1", obtaining, webs, acme=acme, https=True) for acme in (True, False))
    issued = certificate()
    shown = f"openssl s_client -connect 127.0.0.1:{haproxy.HTTPS_PORT} </dev/null 2>/dev/null | openssl x509"
    digest = hashlib.sha256(der(issued)).hexdigest()
    timer = "systemctl is-active --quiet site-certificate.timer"
    in_force = {
        "one": f"{timer} && {shown} -noout -issuer | grep -q Pebble",
        "other": f"! {timer} && {shown} -outform DER | sha256sum | grep -q ^{digest}",
    }
    secrets = {"one": {"ACCOUNT_KEY": ACCOUNT["privateKeyPem"]}, "other": issued}
    node.applies_after_kills("haproxy/haproxy.sh", one, other, in_force, secrets)


def test_a_balancer_without_a_client_of_acme_is_left_as_it_was(
    haproxies: Mapping[str, Node], webs: Mapping[str, Web]
) -> None:
    node = haproxies["lb2"]
    node.run("mv", "/usr/bin/uacme", "/usr/bin/uacme.aside")
    try:
        before = node.state()
        output = node.refuses(
            "haproxy/haproxy.sh",
            balancing("lb2", haproxies, webs, acme=True),
            {"ACCOUNT_KEY": ACCOUNT["privateKeyPem"]},
        )
        assert "Install the package uacme" in output
        assert node.state() == before
    finally:
        node.run("mv", "/usr/bin/uacme.aside", "/usr/bin/uacme")


def failing_over(own: str, balancers: Mapping[str, Node], *, virtual_ip: str = VIRTUAL_IP) -> dict[str, str]:
    """Parameters of keepalived/keepalived.sh on the balancer `own`, for an address that keepalived itself sets."""
    address = balancers[own].address
    peers = [node.address for name, node in balancers.items() if name != own]
    return {
        "CONFIG": keepalived.config(address, peers, virtual_ip),
        "ADDRESS": address,
        "VIRTUAL_IP": virtual_ip,
        "FAILOVER": "",
        "ENVIRONMENT": "",
        "RESTART": RESTART.read_text(),
        "UNIT": "",
    }


def holders(balancers: Mapping[str, Node]) -> list[str]:
    """The balancers that have the address on an interface."""
    asked = ["ip", "-oneline", "-4", "address", "show", "to", f"{VIRTUAL_IP}/32"]
    return [name for name, node in balancers.items() if node.machine.running and node.run(*asked)]


def silence(region: Region, during: Callable[[], object], within: float) -> float:
    """Call `during` and wait until the address answers again; returns the seconds of the longest gap.

    Opens one connection after another, each for at most 100 ms, until five in a row succeed after a failure. Fails
    after `within` seconds.
    """
    answered = time.monotonic()
    gap, since, in_a_row = 0.0, time.monotonic(), 0
    worker = threading.Thread(target=during)
    worker.start()
    while worker.is_alive() or not gap or in_a_row < 5:
        assert time.monotonic() < since + within, f"{gap:.1f} s, and no more answers than {in_a_row} in a row"
        connection = HTTPConnection(VIRTUAL_IP, timeout=0.1)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
        except (OSError, HTTPException):
            in_a_row = 0
            gap = max(gap, time.monotonic() - answered)
        else:
            now = time.monotonic()
            if in_a_row == 0:
                gap = max(gap, now - answered if gap else 0)
            answered, in_a_row = now, in_a_row + 1
        finally:
            connection.close()
    worker.join()
    return gap


@pytest.fixture
def holder(haproxies: Mapping[str, Node]) -> tuple[Node, Node]:
    """The balancer that has the address, and the other one, which can take it over."""
    for name, node in haproxies.items():
        node.step("keepalived/keepalived.sh", failing_over(name, haproxies))
    for node in haproxies.values():
        node.eventually("curl", "--fail", "--silent", f"http://127.0.0.1:{haproxy.OWN_PORT}/health")
    eventually(lambda: len(holders(haproxies)) == 1 and answers(VIRTUAL_IP), within=30)
    (name,) = holders(haproxies)
    (other,) = set(haproxies) - {name}
    return haproxies[name], haproxies[other]


def answers(address: str, status: int = 200) -> bool:
    """Whether an address answers with a status."""
    try:
        return ask(address)[0] == status
    except (OSError, HTTPException):
        return False


@pytest.mark.usefixtures("holder")
def test_keepalived_gives_the_address_to_one_balancer(haproxies: Mapping[str, Node]) -> None:
    assert len(holders(haproxies)) == 1
    for name, node in haproxies.items():
        again(node, "keepalived/keepalived.sh", failing_over(name, haproxies))


def test_keepalived_reports_every_error_at_once(balancers: Mapping[str, Node]) -> None:
    node = balancers["lb1"]
    before = node.state()
    settings = failing_over("lb1", balancers, virtual_ip="192.0.2.77")
    output = node.refuses("keepalived/keepalived.sh", settings | {"ADDRESS": "10.99.0.1"})
    assert "does not have the address 10.99.0.1" in output
    assert "The virtual IP 192.0.2.77 is in no network" in output
    own = node.machine.endpoint.ports[0].address
    assert "is this machine's own address" in node.refuses(
        "keepalived/keepalived.sh", failing_over("lb1", balancers, virtual_ip=own)
    )
    assert node.state() == before


def test_a_killed_step_of_keepalived_is_in_force_after_the_next(
    haproxies: Mapping[str, Node], holder: tuple[Node, Node]
) -> None:
    _, node = holder
    one = failing_over(node.name, haproxies)
    other = one | {"CONFIG": one["CONFIG"].replace("rise 2", "rise 3")}
    # keepalived writes its configuration to a file when it gets the signal
    output = "systemctl kill --kill-whom=main --signal=USR1 keepalived"
    in_force = {
        name: f"{output}; grep -q 'Rise = {rise}$' /tmp/keepalived*.data" for name, rise in (("one", 2), ("other", 3))
    }
    node.applies_after_kills("keepalived/keepalived.sh", one, other, in_force)
    node.step("keepalived/keepalived.sh", one)


def became_backup(node: Node, since: int) -> None:
    """Wait until keepalived has entered its backup state; `since`: Unix time in seconds."""
    journal = f"journalctl --unit keepalived --since @{since}"
    node.eventually("sh", "-c", f"{journal} | grep 'Entering BACKUP STATE'", within=120)


def test_address_leaves_a_balancer_whose_haproxy_is_gone(
    region: Region, balancers: Mapping[str, Node], holder: tuple[Node, Node]
) -> None:
    node, other = holder
    gap = silence(region, lambda: node.run("systemctl", "stop", "haproxy"), within=60)
    assert gap < 3 * OUTAGE_LIMIT, f"HAProxy stopped: {gap:.1f} s"
    assert holders(balancers) == [other.name]
    since = int(time.time())
    node.run("systemctl", "start", "haproxy")
    became_backup(node, since)
    assert holders(balancers) == [other.name]


def test_address_leaves_a_balancer_that_loses_power_and_does_not_come_back_with_it(
    region: Region, balancers: Mapping[str, Node], holder: tuple[Node, Node]
) -> None:
    node, other = holder
    gap = silence(region, node.machine.power_off, within=90)
    assert gap < 3 * OUTAGE_LIMIT, f"power lost: {gap:.1f} s"
    assert holders(balancers) == [other.name]
    since = int(time.time())
    node.machine.power_on()
    became_backup(node, since)
    assert holders(balancers) == [other.name]


@pytest.mark.parametrize("interface", ["eth0", "eth1"])
def test_address_moves_once_when_a_link_flaps(
    region: Region, balancers: Mapping[str, Node], holder: tuple[Node, Node], interface: str
) -> None:
    node, other = holder
    port = node.machine.endpoint.port(interface)

    def flap() -> None:
        for _ in range(10):
            region.network.cut(port)
            threading.Event().wait(0.4)
            region.network.restore(port)
            threading.Event().wait(0.4)

    gap = silence(region, flap, within=90)
    assert gap < 3 * OUTAGE_LIMIT, f"{interface} flapped: {gap:.1f} s"
    eventually(lambda: holders(balancers) == [other.name], within=30)


def test_address_is_given_back_when_keepalived_is_killed(
    balancers: Mapping[str, Node], holder: tuple[Node, Node]
) -> None:
    node, _ = holder
    node.run("systemctl", "kill", "--signal", "KILL", "keepalived")
    node.eventually("systemctl", "is-active", "--quiet", "keepalived", within=30)
    eventually(lambda: len(holders(balancers)) == 1 and answers(VIRTUAL_IP), within=45)
