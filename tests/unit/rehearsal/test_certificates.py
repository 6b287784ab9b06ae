"""The stand-ins of certificates and DNS refuse, wait and replace as the clouds do."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from rehearsal.plugins import aws, digitalocean
from rehearsal.plugins.aws import certificates
from rehearsal.plugins.aws.balancer import HOSTED_ZONE
from rehearsal.plugins.protocol import Provider
from rehearsal.region.ca import Certificate, CertificateAuthority
from rehearsal.region.load_balancer import TargetGroup
from rehearsal.region.region import Record, Region
from tests.stand_in import Engine, Rejected, Resource

ZONE = "Z0123456789ABC"
DOMAIN = "www.rehearsal.test"
NAME, ADDRESS = "balancer-1.us-east-1.elb.amazonaws.com", "198.51.100.4"
BALANCER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/balancer/0123456789abcdef"
TARGETS = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/nodes/0123456789abcdef"
ALIAS = [{"name": NAME, "zoneId": HOSTED_ZONE, "evaluateTargetHealth": False}]


@pytest.fixture
def region() -> Mock:
    """A region with a load balancer, as a name only."""
    region = Mock()
    region.name = "us-east-1"
    region.records, region.certificates, region.balancers = {}, {}, {}
    region.certificate = region.certificates.get
    balancer = Mock(endpoint=Mock(public=ADDRESS), listeners={}, groups={})
    balancer.name = NAME
    region.balancers[BALANCER] = balancer
    region.target_groups = {TARGETS: Mock(spec=TargetGroup)}
    region.records |= {arn: Record("aws:lb/loadBalancer:LoadBalancer", None, Mock()) for arn in (BALANCER, TARGETS)}
    return region


def engine(provider: Callable[[Region], Provider], region: Mock) -> Engine:
    return Engine(provider(region))


@pytest.fixture
def amazon(region: Mock, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setattr(certificates, "VALIDATION_LIMIT", 0.3)
    return engine(aws.provider, region)


@pytest.fixture
def ocean(region: Mock) -> Engine:
    return engine(digitalocean.provider, region)


def certificate(amazon: Engine, domain: str = DOMAIN) -> Resource:
    return amazon.create("Certificate", "site", domainName=domain, validationMethod="DNS")


def record(amazon: Engine, made: Resource, **changes: Any) -> Resource:
    """The validation record of a certificate."""
    [option] = made.outputs["domainValidationOptions"]
    inputs = {
        "zoneId": ZONE, "name": option["resourceRecordName"], "type": option["resourceRecordType"], "ttl": 300,
        "records": [option["resourceRecordValue"]],
    }  # fmt: skip
    return amazon.create("Record", "site-validation", **inputs | changes)


def listener(amazon: Engine, arn: str) -> Resource:
    return amazon.create(
        "Listener", "https", loadBalancerArn=BALANCER, port=443, protocol="HTTPS", certificateArn=arn,
        defaultActions=[{"type": "forward", "targetGroupArn": TARGETS}],
    )  # fmt: skip


def test_a_certificate_is_issued_once_its_record_exists(amazon: Engine, region: Mock) -> None:
    made = certificate(amazon)
    assert made.outputs["status"] == "PENDING_VALIDATION"
    validation = record(amazon, made)
    assert validation.outputs["fqdn"] == made.outputs["domainValidationOptions"][0]["resourceRecordName"].rstrip(".")
    with pytest.raises(Rejected, match=r"UnsupportedCertificate: .* must have a fully-qualified domain"):
        listener(amazon, made.id)
    fqdns = [validation.outputs["fqdn"]]
    amazon.create("CertificateValidation", "site", certificateArn=made.id, validationRecordFqdns=fqdns)
    listener(amazon, made.id)
    [served] = region.balancers[BALANCER].listeners.values()
    assert served.certificate == Certificate([DOMAIN], issued=True)


def test_a_domain_has_the_same_validation_record_for_each_certificate(amazon: Engine) -> None:
    first, second = (certificate(amazon).outputs["domainValidationOptions"] for _ in range(2))
    assert first == second
    assert certificate(amazon, "rehearsal.test").outputs["domainValidationOptions"] != first


@pytest.mark.parametrize(
    "changes", [None, {"records": ["_wrong.acm-validations.aws."]}, {"name": "_x.rehearsal.test."}]
)
def test_a_certificate_without_its_record_is_not_issued(amazon: Engine, changes: dict[str, Any] | None) -> None:
    made = certificate(amazon)
    if changes:
        record(amazon, made, **changes)
    with pytest.raises(Rejected, match=r"waiting for ACM Certificate .* to be issued: timeout"):
        amazon.create("CertificateValidation", "site", certificateArn=made.id)


def test_a_validation_record_of_another_name_is_an_error_at_once(amazon: Engine) -> None:
    made = certificate(amazon)
    other = record(amazon, made, name="_x.www.rehearsal.test.other.test.")
    with pytest.raises(Rejected, match=rf"missing {DOMAIN} DNS validation record: _[0-9a-f]{{32}}\.{DOMAIN}$"):
        amazon.create(
            "CertificateValidation", "site", certificateArn=made.id, validationRecordFqdns=[other.outputs["fqdn"]]
        )


def test_a_certificate_that_does_not_exist_is_refused(amazon: Engine) -> None:
    arn = "arn:aws:acm:us-east-1:123456789012:certificate/x"
    with pytest.raises(Rejected, match="ResourceNotFoundException: Could not find certificate"):
        amazon.create("CertificateValidation", "site", certificateArn=arn)
    with pytest.raises(Rejected, match=f"CertificateNotFound: Certificate '{arn}' not found"):
        listener(amazon, arn)


@pytest.mark.parametrize("domain", ["rehearsal", "-a.test", "a..test", "a" * 64 + ".test"])
def test_a_certificate_for_no_domain_is_refused(amazon: Engine, domain: str) -> None:
    with pytest.raises(Rejected, match="ValidationException"):
        certificate(amazon, domain)


def test_a_certificate_in_use_is_not_deleted(amazon: Engine, region: Mock) -> None:
    made = certificate(amazon)
    region.certificates[made.id].issued = True
    serving = listener(amazon, made.id)
    with pytest.raises(Rejected, match="ResourceInUseException"):
        amazon.delete(made)
    amazon.delete(serving)
    amazon.delete(made)
    assert region.certificates == {}


def test_another_domain_is_another_certificate_made_first(amazon: Engine) -> None:
    difference = amazon.difference(certificate(amazon), domainName="rehearsal.test")
    assert (difference.replaces, difference.delete_first) == (["domainName"], False)


@pytest.mark.parametrize("domain", [DOMAIN, "rehearsal.test"])
def test_an_alias_resolves_to_the_load_balancer(amazon: Engine, region: Mock, domain: str) -> None:
    made = amazon.create("Record", "site", zoneId=ZONE, name=domain, type="A", aliases=ALIAS)
    region.dns.set.assert_called_with(domain, ADDRESS)
    assert (made.id, made.outputs["fqdn"]) == (f"{ZONE}_{domain}_A", domain)
    amazon.delete(made)
    region.dns.set.assert_called_with(domain, None)


def test_a_record_that_exists_is_not_overwritten(amazon: Engine) -> None:
    amazon.create("Record", "site", zoneId=ZONE, name=DOMAIN, type="A", aliases=ALIAS)
    with pytest.raises(Rejected, match=rf"\[name='{DOMAIN}\.', type='A'\] but it already exists"):
        amazon.create("Record", "other", zoneId=ZONE, name=DOMAIN, type="A", aliases=ALIAS)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"aliases": [ALIAS[0] | {"zoneId": ZONE}]}, "does not lie within the target zone"),
        ({"aliases": [ALIAS[0] | {"name": "other.elb.amazonaws.com"}]}, "does not lie within the target zone"),
        ({"aliases": []}, "exactly one of records and aliases"),
        ({"records": [ADDRESS], "ttl": 60}, "conflicts with records"),
        ({"aliases": [], "records": [ADDRESS]}, "needs a ttl"),
        ({"aliases": [], "records": [NAME], "ttl": 60, "type": "CNAME", "name": "taken.test"}, "conflicts with other"),
    ],
)
def test_a_record_that_route_53_would_refuse_is_refused(amazon: Engine, changes: dict[str, Any], words: str) -> None:
    amazon.create("Record", "taken", zoneId=ZONE, name="taken.test", type="A", aliases=ALIAS)
    inputs = {"zoneId": ZONE, "name": DOMAIN, "type": "A", "aliases": ALIAS}
    with pytest.raises(Rejected, match=words):
        amazon.create("Record", "site", **inputs | changes)


def test_digitalocean_gets_a_certificate_whose_id_is_its_name(ocean: Engine, region: Mock) -> None:
    made = ocean.create("Certificate", "balancer", type="lets_encrypt", domains=[DOMAIN])
    assert made.id == made.outputs["name"]
    assert made.outputs["state"] == "verified"
    assert region.certificates[made.id] == Certificate([DOMAIN], issued=True)
    difference = ocean.difference(made, domains=["rehearsal.test"])
    assert (difference.replaces, difference.delete_first) == (["domains"], False)
    ocean.delete(made)
    assert region.certificates == {}


@pytest.mark.parametrize(("name", "fqdn"), [("www", DOMAIN), ("@", "rehearsal.test")])
def test_a_record_at_digitalocean_resolves(ocean: Engine, region: Mock, name: str, fqdn: str) -> None:
    made = ocean.create("DnsRecord", "balancer", domain="rehearsal.test", type="A", name=name, value=ADDRESS)
    region.dns.set.assert_called_with(fqdn, ADDRESS)
    assert made.outputs["fqdn"] == fqdn
    ocean.delete(made)
    region.dns.set.assert_called_with(fqdn, None)


def test_a_record_at_digitalocean_needs_an_address(ocean: Engine) -> None:
    with pytest.raises(Rejected, match="422 Data needs to be an IPv4 address"):
        ocean.create("DnsRecord", "balancer", domain="rehearsal.test", type="A", name="www", value=NAME)


def test_the_authority_signs_each_name_of_a_certificate(tmp_path: Path) -> None:
    authority = CertificateAuthority()
    authority.sign(tmp_path, DOMAIN, "rehearsal.test")
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cadata=authority.certificate)
    server.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    for name, passes in ((DOMAIN, True), ("rehearsal.test", True), ("other.test", False)):
        assert handshake(server, client, name) is passes


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> bool:
    """Whether a client accepts the server's certificate for a name."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(3):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError:
                return False
    return True
