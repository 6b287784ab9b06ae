"""HTTPS on balancers of the site's own: the checks of its settings, and its way into the graph."""

from __future__ import annotations

import datetime
import re
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from components.config.settings import Acme
from components.haproxy.acme import acme_params
from tests.unit.graph import AUTHORITY, Graph, Secret, build
from tests.unit.rejection import error_lines
from tests.unit.test_roles import AWS, EXISTING
from tests.unit.test_safety import visible_texts

NAME = "www.rehearsal.test"
CERTIFICATE, KEY = AUTHORITY.issue(NAME)
WILDCARD = AUTHORITY.issue("*.rehearsal.test")
ADDRESS = AUTHORITY.issue(EXISTING["network"]["virtual_ip"])
OWN_KEY = ec.generate_private_key(ec.SECP256R1())
OWN_KEY_PEM = OWN_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
ENCRYPTED = OWN_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")).decode()
SET = "set it with: pulumi config set --path tls.certificate <chain.pem, or add tls.acme"
NO_CHAIN = "set it with: pulumi config set --path tls.certificate <chain.pem"
SET_KEY = "set it with: pulumi config set --secret tls_private_key <key.pem"


ACME = {"email": "editor@rehearsal.test"}


def own_certificate(begin: int, end: int, *names: x509.GeneralName) -> str:
    """A certificate that OWN_KEY has signed; it is valid between two days, counted from today."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(OWN_KEY.public_key())
        .serial_number(1)
        .not_valid_before(now + datetime.timedelta(days=begin))
        .not_valid_after(now + datetime.timedelta(days=end))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(OWN_KEY, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def https(certificate: str | None = CERTIFICATE, key: str = KEY, **tls: Any) -> dict[str, Any]:
    """The settings of HTTPS, for www.rehearsal.test."""
    written = {"domain": NAME, "certificate": certificate} | tls
    return {"tls": {name: value for name, value in written.items() if value}, "tls_private_key": key}


def days_from_now(days: int) -> str:
    return f"{datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days):%Y-%m-%d}"


@pytest.mark.parametrize(
    ("line", "minimal", "changes"),
    [
        (f"tls.certificate: is missing; {SET}", EXISTING, https(None)),
        (f"tls_private_key: is missing, but tls needs it; {SET_KEY}", EXISTING, https(key="")),
        (
            "tls_private_key: needs its certificate; add tls.certificate, or omit tls_private_key",
            EXISTING,
            {"tls_private_key": KEY},
        ),
        (f"tls.certificate: is not a certificate in PEM form; {NO_CHAIN}", EXISTING, https("MIIB")),
        (f"tls.certificate: is not a certificate in PEM form; {NO_CHAIN}", EXISTING, https(KEY)),
        (f"tls_private_key: is not a private key in PEM form; {SET_KEY}", EXISTING, https(key="hunter2")),
        (f"tls_private_key: is not a private key in PEM form; {SET_KEY}", EXISTING, https(key=CERTIFICATE)),
        (
            "tls_private_key: has a passphrase, which the balancers do not know; remove it with: openssl pkey",
            EXISTING,
            https(key=ENCRYPTED),
        ),
        (
            (
                "tls_private_key: is not the key of the first certificate in tls.certificate; "
                "use the two that belong together"
            ),
            EXISTING,
            https(key=OWN_KEY_PEM),
        ),
        (
            (
                "tls.certificate: certificate 2 of 2 did not sign certificate 1; "
                "write the site's own first, then each one's issuer"
            ),
            EXISTING,
            https(AUTHORITY.certificate + CERTIFICATE),
        ),
        (
            (
                "tls.certificate: certificate 3 of 3 did not sign certificate 2; "
                "write the site's own first, then each one's issuer"
            ),
            EXISTING,
            https(CERTIFICATE + AUTHORITY.certificate + WILDCARD.certificate),
        ),
        (
            f"tls.certificate: certificate 1 of 1 expired on {days_from_now(-1)}; renew it",
            EXISTING,
            https(own_certificate(-9, -1), OWN_KEY_PEM),
        ),
        (
            f"tls.certificate: certificate 1 of 1 is valid from {days_from_now(2)} on; use one that is valid now",
            EXISTING,
            https(own_certificate(2, 9), OWN_KEY_PEM),
        ),
        (
            (
                "tls.certificate: names www.rehearsal.test, but visitors use rehearsal.test; "
                "use a certificate that names it"
            ),
            EXISTING,
            https(domain="rehearsal.test"),
        ),
        (
            (
                "tls.certificate: names *.rehearsal.test, but visitors use www.shop.rehearsal.test; "
                "use a certificate that names it"
            ),
            EXISTING,
            https(*WILDCARD, domain="www.shop.rehearsal.test"),
        ),
        (
            "tls.certificate: names no host, but visitors use www.rehearsal.test; use a certificate that names it",
            EXISTING,
            https(own_certificate(-1, 9), OWN_KEY_PEM),
        ),
        (
            "tls.certificate: names www.rehearsal.test, but visitors use 192.0.2.10; use a certificate that names it",
            EXISTING,
            https(domain=None),
        ),
        (
            "tls.domain: is missing, but HTTPS needs the certificate's domain; add it",
            AWS | {"topology": "balancers", "web": "sessions", "site": {}},
            https(domain=None),
        ),
        (
            "site.domain: is missing, but HTTPS needs the certificate's domain; add it",
            AWS | {"topology": "balancers"},
            https(domain=None),
        ),
        (
            "tls.domain: has no effect on WordPress; set site.domain, and omit tls.domain",
            AWS | {"topology": "balancers"},
            https(),
        ),
        ("tls: needs balancers of the site's own; give two nodes role: balancer, or omit it", AWS, https()),
        (
            "tls.certificate: conflicts with tls.acme, by which the balancers obtain theirs; omit one of them",
            EXISTING,
            https(acme=ACME),
        ),
        (
            "tls_private_key: conflicts with tls.acme, by which the balancers obtain theirs; omit one of them",
            EXISTING,
            https(None, acme=ACME),
        ),
        (
            "tls.domain: is missing, but HTTPS needs the certificate's domain; add it",
            EXISTING,
            https(None, "", acme=ACME, domain=None),
        ),
        (
            "site.domain: is missing, but HTTPS needs the certificate's domain; add it",
            AWS | {"topology": "balancers"},
            https(None, "", acme=ACME, domain=None),
        ),
        ("tls.acme.email: is missing; add it", EXISTING, https(None, "", acme={"directory": "https://ca.test/dir"})),
        (
            (
                "tls.acme.directory: 'http://ca.test' is not an ACME directory; "
                "write one such as https://acme-staging-v02.api.letsencrypt.org/directory"
            ),
            EXISTING,
            https(None, "", acme=ACME | {"directory": "http://ca.test"}),
        ),
        ("tls.certifcate: is not a known key; did you mean certificate?", EXISTING, https(certifcate="x")),
    ],
)
def test_a_mistake_is_refused_with_what_to_do(line: str, minimal: dict[str, Any], changes: dict[str, Any]) -> None:
    assert line in error_lines(minimal, **changes)


def test_no_error_shows_the_key() -> None:
    assert "hunter2" not in "".join(error_lines(EXISTING, **https("MIIB", "hunter2")))


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        (https(CERTIFICATE + AUTHORITY.certificate), "https://www.rehearsal.test"),
        (https(*WILDCARD), "https://www.rehearsal.test"),
        (https(*ADDRESS, domain=None), "https://192.0.2.10"),
    ],
)
def test_the_address_of_a_site_with_a_certificate_is_https(settings: dict[str, Any], url: str) -> None:
    assert build("php-sessions", **settings).outputs["url"] == url


def test_a_certificate_that_expires_soon_is_warned_of() -> None:
    soon = own_certificate(-1, 9, x509.DNSName(NAME))
    assert build("php-sessions", **https(soon, OWN_KEY_PEM)).log.warnings == [
        f"tls.certificate expires on {days_from_now(9)}: renew it, and set it and its key again."
    ]
    assert build("php-sessions", **https()).log.warnings == []


SESSIONS: dict[str, Any] = {"topology": "converged", "web": "sessions", "site": {}, "tls": {"domain": NAME}}


@pytest.mark.parametrize(
    ("stack", "balancer", "certificate"),
    [
        ("aws-wordpress", {"zone_id": "Z0123456789ABC"}, "acm.Certificate site"),
        ("digitalocean-wordpress", {"dns_zone": "rehearsal.test"}, "digitalocean.Certificate balancer"),
    ],
)
def test_php_sessions_behind_a_clouds_load_balancer_have_https(
    stack: str, balancer: dict[str, str], certificate: str
) -> None:
    graph = build(stack, nodes={}, gluster={}, balancer=balancer, **SESSIONS)
    assert graph[certificate]
    assert graph.outputs["url"] == f"https://{NAME}"
    assert "dns_records" not in graph.outputs
    assert "session.cookie_secure] = on" in text(graph, "gfs1-sessions")


@pytest.mark.parametrize("stack", ["aws-wordpress", "digitalocean-wordpress"])
def test_a_domain_alone_gives_php_sessions_no_https(stack: str) -> None:
    graph = build(stack, nodes={}, gluster={}, balancer={}, **SESSIONS)
    assert graph.outputs["url"] == f"http://{NAME}"
    assert [record["name"] for record in graph.outputs["dns_records"]] == [NAME]
    assert "session.cookie_secure] = off" in text(graph, "gfs1-sessions")


@pytest.mark.parametrize(
    ("stack", "balancer", "record", "inputs"),
    [
        (
            "aws-wordpress",
            {"zone_id": "Z0123456789ABC"},
            "route53.Record site",
            {"zoneId": "Z0123456789ABC", "name": NAME, "type": "A", "ttl": 300},
        ),
        (
            "digitalocean-wordpress",
            {"dns_zone": "rehearsal.test"},
            "digitalocean.DnsRecord entrance",
            {"domain": "rehearsal.test", "name": "www", "type": "A"},
        ),
    ],
)
def test_a_zone_gives_the_virtual_ip_the_domains_record(
    stack: str, balancer: dict[str, str], record: str, inputs: dict[str, Any]
) -> None:
    site = {"admin_email": "editor@rehearsal.test", "domain": NAME}
    changes = {"topology": "balancers", "nodes": {}, "gluster": {}, "site": site, "balancer_token": "token"}
    if stack == "aws-wordpress":
        del changes["balancer_token"]
    graph = build(stack, balancer=balancer, **changes, **https(domain=None))
    address = graph.outputs["balancer_address"]
    value = {"records": [address]} if "zone_id" in balancer else {"value": address}
    assert graph[record].inputs == inputs | value
    assert "dns_records" not in graph.outputs
    by_hand = build(stack, balancer={}, **changes, **https(domain=None))
    assert record not in by_hand.resources
    assert by_hand.outputs["dns_records"] == [{"type": "A", "name": NAME, "value": address}]


def test_apache_takes_the_visitors_scheme_from_the_balancers_only() -> None:
    nodes = EXISTING["nodes"]
    roles = {name: {key: value for key, value in nodes[name].items() if key != "role"} for name in ("php1", "php2")}
    graph = build(
        "existing-apache", nodes=roles | {name: nodes[name] for name in ("lb1", "lb2")}, network=EXISTING["network"]
    )
    for server in ("php1", "php2"):
        lines = [line for line in text(graph, f"{server}-apache").splitlines() if line.endswith('" HTTPS=on')]
        assert [re.findall(r"10\.0\.0\.\d+", line) for line in lines] == [["10.0.0.11"], ["10.0.0.12"]]
    assert "HTTPS=on" not in text(build("existing-apache"), "server01-apache")


def test_wordpress_behind_its_own_balancers_has_an_https_address() -> None:
    site = {"admin_email": "editor@rehearsal.test", "domain": NAME}
    graph = build("aws-wordpress", topology="balancers", nodes={}, gluster={}, site=site, **https(domain=None))
    assert "URL=https://www.rehearsal.test" in text(graph, "php1-wordpress-site")
    assert "bind :443 ssl" in text(graph, "lb1-haproxy")


def text(graph: Graph, step: str) -> str:
    command: str = graph[f"remote.Command {step}"].inputs["create"]
    return command


def packages(graph: Graph, node: str) -> list[str]:
    """The packages that an existing machine installs."""
    [names] = re.findall(r" PACKAGES='([^']*)'", text(graph, f"{node}-packages"))
    return str(names).split()


def test_the_key_goes_to_the_balancers_by_standard_input_only() -> None:
    graph = build("php-sessions", **https())
    for balancer in ("lb1", "lb2"):
        stdin = graph[f"remote.Command {balancer}-haproxy"].inputs["stdin"]
        assert isinstance(stdin, Secret)
        assert stdin.value == f"CERTIFICATE='{CERTIFICATE}\n{KEY}\n'\n"
    secret_line = KEY.splitlines()[1]
    for resource in graph.resources.values():
        assert not [shown for shown in visible_texts(resource.inputs) if secret_line in shown], resource.key


def test_balancers_that_obtain_certificates_share_an_account_and_nothing_else() -> None:
    graph = build("php-sessions", **https(None, "", acme=ACME))
    assert graph.outputs["url"] == "https://www.rehearsal.test"
    assert graph["tls.PrivateKey acme"].inputs == {"algorithm": "ECDSA", "ecdsaCurve": "P256"}
    for balancer in ("lb1", "lb2"):
        haproxy = graph[f"remote.Command {balancer}-haproxy"].inputs
        assert haproxy["stdin"] == Secret("ACCOUNT_KEY='SECRET-pem-key-of-acme\n'\n")
        assert "--acme-url https://acme-v02.api.letsencrypt.org/directory" in haproxy["create"]
        assert '%[path,field(-1,/)].cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"' in haproxy["create"]
        assert "uacme" in packages(graph, balancer)
    assert "uacme" not in packages(graph, "php1")
    assert not [shown for each in graph.resources.values() for shown in visible_texts(each.inputs) if "SECRET" in shown]


def test_an_address_with_shell_syntax_stays_text() -> None:
    acme = {"email": "it's$(reboot)@rehearsal.test", "directory": "https://ca.test/a?b=c&d"}
    script = acme_params(NAME, Acme.model_validate(acme))["ACME_SCRIPT"]
    assert """ update 'it'"'"'s$(reboot)@rehearsal.test' """ in script
    assert """ --acme-url 'https://ca.test/a?b=c&d' """ in script


def test_a_certificate_of_another_authority_is_kept_elsewhere() -> None:
    staging = ACME | {"directory": "https://acme-staging-v02.api.letsencrypt.org/directory"}
    homes = {acme_params(NAME, Acme.model_validate(each))["ACME_HOME"] for each in (ACME, staging)}
    assert len(homes) == 2


def test_a_site_without_acme_answers_no_challenge() -> None:
    for settings in (https(), {"tls": {}, "tls_private_key": ""}):
        assert "acme-challenge" not in text(build("php-sessions", **settings), "lb1-haproxy")


def test_a_crash_holds_the_ports_that_visitors_use() -> None:
    assert "tcp dport { 80, 443 }" in text(build("php-sessions", **https()), "lb1-haproxy")
    assert "tcp dport { 80 }" in text(build("php-sessions", tls={}, tls_private_key=""), "lb1-haproxy")


def test_a_site_without_a_certificate_stays_on_http() -> None:
    graph = build("php-sessions", tls={}, tls_private_key="")
    assert graph.outputs["url"] == "http://192.0.2.10"
    haproxy = graph["remote.Command lb1-haproxy"].inputs
    assert "bind :80\n" in haproxy["create"]
    assert "bind :443" not in haproxy["create"]
    assert "stdin" not in haproxy


@pytest.mark.parametrize(("settings", "flag"), [(https(), "on"), ({"tls": {}, "tls_private_key": ""}, "off")])
def test_browsers_send_the_session_by_https_only_where_the_site_has_it(settings: dict[str, Any], flag: str) -> None:
    assert f"session.cookie_secure] = {flag}" in text(build("php-sessions", **settings), "php1-sessions")
