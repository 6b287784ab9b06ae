"""Settings of DigitalOcean: defaults, and the error message for each wrong value."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest

from components.cloud.digitalocean.settings import DigitalOceanSettings
from components.config.loader import parse
from tests.unit.graph import text
from tests.unit.rejection import error_lines
from tests.unit.test_settings import OWN_BUCKET

MINIMAL: dict[str, Any] = {
    "cloud": "digitalocean",
    "topology": "separate",
    "network": {"ssh_from": ["198.18.0.0/24"]},
    "site": {"admin_email": "editor@rehearsal.test"},
    "accept_plain_http": True,
}
"""The settings without a default, for a site without HTTPS."""

NODES: dict[str, dict[str, Any]] = {
    **{name: {"role": "storage"} for name in ("gfs1", "gfs2", "gfs3")},
    **{name: {"role": "web"} for name in ("app1", "app2")},
}
BALANCERS: dict[str, Any] = {"topology": "balancers", "web": "sessions", "site": {}}


def read(**changes: Any) -> DigitalOceanSettings:
    settings = parse({name: text(value) for name, value in (MINIMAL | changes).items()})
    assert isinstance(settings, DigitalOceanSettings)
    return settings


def test_the_defaults_are_two_storage_droplets_an_arbiter_and_two_app_droplets() -> None:
    settings = read()
    assert {name: node.role for name, node in settings.nodes.items()} == {
        name: node["role"] for name, node in NODES.items()
    }
    assert (settings.gluster.replica, settings.gluster.arbiter) == (2, 1)
    assert (settings.region, settings.machine.size, settings.machine.image) == ("nyc3", "s-1vcpu-2gb", "debian-13-x64")
    assert settings.network.cidr == IPv4Network("10.30.0.0/16")
    assert settings.protect_data


def test_a_node_may_be_larger_than_the_others() -> None:
    settings = read(nodes=NODES | {"app1": {"role": "web", "size": "so1_5-2vcpu-16gb"}})
    assert (settings.nodes["app1"].size, settings.nodes["app2"].size) == ("so1_5-2vcpu-16gb", None)


def test_a_volume_name_may_have_an_underscore() -> None:
    assert read(gluster={"volume": "ashleyrich_com"}).gluster.volume == "ashleyrich_com"


def test_two_copies_without_an_arbiter_are_allowed_if_the_settings_accept_the_risk() -> None:
    gluster = {"replica": 2, "arbiter": 0, "accept_split_brain_risk": True}
    settings = read(gluster=gluster, nodes={name: node for name, node in NODES.items() if name != "gfs3"})
    assert settings.node_roles.bricks == ["gfs1", "gfs2"]
    assert settings.warnings


@pytest.mark.parametrize(("port", "blocked"), [(587, True), (465, True), (2525, False)])
def test_a_mail_port_that_droplets_cannot_reach_is_allowed_with_a_warning(port: int, blocked: bool) -> None:
    smtp = {"host": "smtp.rehearsal.test", "port": port, "user": "site", "from": "site@rehearsal.test"}
    settings = read(site=MINIMAL["site"] | {"smtp": smtp}, smtp_password="hunter2")
    assert any(f"DigitalOcean blocks port {port}" in warning for warning in settings.warnings) == blocked


def test_a_token_is_hidden_in_the_text_form_of_the_settings() -> None:
    settings = read(**BALANCERS, balancer_token="dop_v1_0123")
    assert "dop_v1_0123" not in f"{settings!r} {settings}"
    assert settings.balancer_token.get_secret_value() == "dop_v1_0123"


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("region: 'us-east-1' is not a region; write one such as nyc3", {"region": "us-east-1"}),
        ("machine.size: 'small' is not a size; write one such as s-1vcpu-2gb", {"machine": {"size": "small"}}),
        (
            "machine.image: 'Debian 13' is not an image; write one such as debian-13-x64, or an image's number",
            {"machine": {"image": "Debian 13"}},
        ),
        ("machine.sise: is not a known key; did you mean size?", {"machine": {"sise": "s-1vcpu-2gb"}}),
        (
            "nodes.app1.size: 'large' is not a size; write one such as s-1vcpu-2gb",
            {"nodes": NODES | {"app1": {"role": "web", "size": "large"}}},
        ),
        (
            "nodes.app1.zone: is not a known key; use one of: role, brick, size",
            {"nodes": NODES | {"app1": {"role": "web", "zone": "nyc3"}}},
        ),
        ("network.ssh_from: is missing; add it", {"network": {}}),
        (
            "network.cidr: 100.64.0.0/16 is not private; choose one within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
            {"network": MINIMAL["network"] | {"cidr": "100.64.0.0/16"}},
        ),
        (
            "network.cidr: 10.0.0.0/15 is not between /16 and /24; choose a range that DigitalOcean accepts for a VPC",
            {"network": MINIMAL["network"] | {"cidr": "10.0.0.0/15"}},
        ),
        (
            "network.cidr: 10.0.0.0/25 is not between /16 and /24; choose a range that DigitalOcean accepts for a VPC",
            {"network": MINIMAL["network"] | {"cidr": "10.0.0.0/25"}},
        ),
        (
            "network.vpc: 'default' is not a VPC; write one such as 5a4981aa-9653-4bd1-bef5-d6bff52042e4",
            {"network": MINIMAL["network"] | {"vpc": "default"}},
        ),
        (
            "network.cidr: conflicts with vpc; omit it to use the existing VPC",
            {"network": MINIMAL["network"] | {"vpc": "5a4981aa-9653-4bd1-bef5-d6bff52042e4", "cidr": "10.30.0.0/16"}},
        ),
        ("database.version: must be a valid string; it is 8; put it in quotes", {"database": {"version": 8}}),
        (
            ("database.size: db-s-1vcpu-1gb is too small for a standby; write db-s-1vcpu-2gb or a larger size"),
            {"database": {"size": "db-s-1vcpu-1gb"}},
        ),
        (
            "balancer.certificate_name: 'my certificate' is not a certificate's name; write one such as www",
            {
                "balancer": {"certificate_name": "my certificate"},
                "site": MINIMAL["site"] | {"domain": "www.rehearsal.test"},
            },
        ),
        *(
            (f"site.domain: is missing, but balancer.{key} needs it; add it", {"balancer": {key: value}})
            for key, value in {"certificate_name": "www", "dns_zone": "rehearsal.test"}.items()
        ),
        (
            "balancer.certificate_name: has no effect with role: balancer; set tls, and omit it",
            BALANCERS | {"balancer": {"certificate_name": "www"}, "balancer_token": "token"},
        ),
        (
            "balancer.dns_zone: other.test does not contain www.rehearsal.test; name the domain that has its records",
            {
                "web": "sessions",
                "site": {},
                "tls": {"domain": "www.rehearsal.test"},
                "balancer": {"dns_zone": "other.test"},
            },
        ),
        *(
            (
                f"balancer.dns_zone: {zone} does not contain {domain}; name the domain that has its records",
                {"balancer": {"dns_zone": zone}, "site": MINIMAL["site"] | {"domain": domain}},
            )
            for zone, domain in (("other.test", "www.rehearsal.test"), ("rehearsal.test", "www.unrehearsal.test"))
        ),
        (
            (
                "balancer_token: is missing, but the balancers need it to move their address; "
                "set it with: pulumi config set --secret balancer_token"
            ),
            BALANCERS,
        ),
        (
            "backup.bucket: is missing, and nyc1 has no Spaces to make one in; name one, and its access key",
            OWN_BUCKET | {"region": "nyc1"},
        ),
        (
            "web: apache needs servers that run it already; set cloud: existing, or choose another web",
            {"web": "apache", "site": {}},
        ),
    ],
)
def test_an_error_names_its_place_and_its_remedy(line: str, changes: dict[str, Any]) -> None:
    assert error_lines(MINIMAL, **changes) == [line]


def test_wordpress_without_https_is_refused_unless_the_settings_accept_it() -> None:
    assert error_lines(MINIMAL, accept_plain_http=False) == [
        (
            "site: has no HTTPS, so passwords can be read on their way; "
            "set site.domain and balancer.dns_zone or balancer.certificate_name, or accept_plain_http: true"
        )
    ]
    site = MINIMAL["site"] | {"domain": "www.rehearsal.test"}
    for balancer in ({"dns_zone": "rehearsal.test"}, {"certificate_name": "www"}):
        assert not [
            line for line in read(accept_plain_http=False, balancer=balancer, site=site).warnings if "HTTP" in line
        ]


def test_the_placeholders_of_the_committed_stack_are_refused() -> None:
    site = MINIMAL["site"] | {"domain": "www.example.com"}
    assert error_lines(MINIMAL, balancer={"dns_zone": "example.com"}, site=site) == [
        "site.domain: www.example.com is for documentation only (RFC 2606); write your own",
        "balancer.dns_zone: example.com is for documentation only (RFC 2606); write your own",
    ]


def test_one_message_lists_every_error() -> None:
    lines = error_lines(
        MINIMAL,
        region="mars",
        machine={"size": "small", "image": "Debian"},
        nodes={"gfs1": {"role": "storage", "size": "large"}, "app1": {"role": "server"}},
        network={"ssh_from": [], "cidr": "8.8.8.0/24"},
        database={"size": "db-s-1vcpu-1gb", "engine": "mysql"},
        balancer={"certificate_name": "www"},
    )
    assert [line.split(":")[0] for line in lines] == [
        "nodes.gfs1.size",
        "nodes.app1.role",
        "network.cidr",
        "network.ssh_from",
        "region",
        "machine.size",
        "machine.image",
        "database.size",
        "database.engine",
        "nodes.app1.role",
        "nodes",
        "nodes",
        "site.domain",
    ]
