"""HAProxy on a balancer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.haproxy.acme import AcmeCertificate, acme_params
from components.machine.remote import RESTART, RemoteHost
from components.machine.template import render

PORT = 80
"""TCP port that visitors connect to."""

HTTPS_PORT = 443
"""TCP port that they connect to when the site has HTTPS; `PORT` then redirects to it."""

OWN_PORT = 8008
"""TCP port on 127.0.0.1 for HAProxy's health, version and statistics. SELinux's policy allows it (`http_port_t`)."""

HERE = Path(__file__).parent

HOLD = HERE / "hold.conf"
"""Drop-in of HAProxy's service. `@PORTS@`: the TCP ports that visitors connect to, separated by commas."""


@dataclass(frozen=True)
class HaproxyArgs:
    """One balancer and the web nodes behind it."""

    host: RemoteHost
    """The balancer."""
    targets: Mapping[str, pulumi.Input[str]]
    """The web nodes' private addresses by name."""
    web_port: int
    """TCP port of the web nodes."""
    health_path: str
    """Path of the health check: a web node that answers 200 gets visitors."""
    balancers: Mapping[str, pulumi.Input[str]]
    """The other balancers' private addresses by name; empty when there is only one balancer."""
    certificate: pulumi.Output[str] | AcmeCertificate | None
    """The site's certificate, those that signed it, and its private key, as one PEM text, secret; or one that the
    balancer obtains. None: no HTTPS.
    """
    trusted_proxies: Sequence[str]
    """Ranges in CIDR form of proxies whose headers name the visitor."""


class Haproxy(pulumi.ComponentResource):
    """HAProxy on the visitors' ports, in front of the healthy web nodes (one step).

    The step does not wait for web nodes: HAProxy answers 503 until one is healthy.
    """

    def __init__(self, name: str, args: HaproxyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:balancer:Haproxy", name, None, opts)
        secrets: dict[str, pulumi.Input[str]] = {}
        thumbprint: pulumi.Input[str] | None = None
        acme: dict[str, pulumi.Input[str]] = {}
        if isinstance(args.certificate, AcmeCertificate):
            account = args.certificate.account
            secrets["ACCOUNT_KEY"], thumbprint = account.key, account.thumbprint
            acme["ADDRESS"] = args.certificate.address
            acme |= acme_params(args.certificate.domain, args.certificate.settings)
        elif args.certificate:
            secrets["CERTIFICATE"] = args.certificate
        self.step = args.host.run(
            "haproxy",
            HERE / "haproxy.sh",
            params={
                "CONFIG": pulumi.Output.all(
                    targets=dict(args.targets), balancers=dict(args.balancers), thumbprint=thumbprint
                ).apply(
                    lambda outputs: config(
                        outputs["targets"],
                        args.web_port,
                        args.health_path,
                        outputs["balancers"],
                        args.trusted_proxies,
                        https=args.certificate is not None,
                        thumbprint=outputs["thumbprint"],
                    )
                ),
                "OWN_PORT": str(OWN_PORT),
                **acme,
                "RESTART": RESTART.read_text(),
                "HOLD": render(HOLD, PORTS=f"{PORT}, {HTTPS_PORT}" if args.certificate else PORT),
            },
            secrets=secrets,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def config(
    targets: Mapping[str, str],
    web_port: int,
    health_path: str,
    balancers: Mapping[str, str],
    trusted_proxies: Sequence[str],
    *,
    https: bool,
    thumbprint: str | None = None,
) -> str:
    """HAProxy's configuration; the step fills in `@VERSION@` and `@CERTIFICATE@`.

    `https`: whether there is a certificate. `thumbprint`: that of the ACME account's key, if the balancer obtains the
    certificate. The other arguments are fields of `HaproxyArgs`.
    """
    challenges = render(HERE / "challenges.cfg", THUMBPRINT=thumbprint) if thumbprint else ""
    return render(
        HERE / "haproxy.cfg",
        HTTPS=render(HERE / "https.cfg", CERTIFICATE="@CERTIFICATE@", CHALLENGES=challenges.rstrip()).rstrip()
        if https
        else "",
        WEB=servers(targets, web_port),
        HEALTH_PATH=health_path,
        NEIGHBOURS="\n".join((servers(targets, web_port), servers(balancers, PORT))),
        TRUSTED_PROXIES="\n".join(f"    acl trusted_proxy src {proxy}" for proxy in trusted_proxies),
        OWN_PORT=OWN_PORT,
        VERSION="@VERSION@",
    )


def servers(addresses: Mapping[str, str], port: int) -> str:
    """The `server` lines of a backend, one for each address, in the order of the names."""
    return "\n".join(f"    server {name} {address}:{port}" for name, address in sorted(addresses.items()))
