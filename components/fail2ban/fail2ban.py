"""Fail2ban on a machine, and bans that hold on every machine of the site.

Hits: nginx sends requests that look like an attack to rsyslog, and rsyslog forwards them to every counter
(rsyslog.conf). On a counter, fail2ban counts the hits of the whole site; on any other machine, only its own.

Bans: each ban is a fact with an end time, stored as an empty file (live.py). The nodes exchange these files over the
volume (share.sh) and apply them (apply.sh). Fail2ban itself shares no bans (fail2ban/fail2ban #881), and it bans in the
packet filter, which behind a balancer sees only the balancer's address (#2258).

Commands for operators, on any node:
- `unban ADDRESS` ends an address's ban on every node.
- `fail2ban-client status wordpress` shows the password guesses that this node has counted; the other jails are `scan`,
  `missing`, `flood` (jail.conf) and `sshd`.
- `nft list table inet ha-wordpress` shows the banned addresses and the time left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pulumi

from components.config import settings
from components.machine.remote import RESTART, RemoteHost
from components.machine.template import render

PORT = 5514
"""TCP port on which rsyslog takes hits from the other nodes; the firewall opens it between the nodes only, and rsyslog
refuses senders outside of their network. The hits of the machine's own nginx come through a Unix socket.
"""

SHARED = ".ha-wordpress/bans"
"""Directory of the shared bans below a document root. nginx serves no path that begins with a dot."""

MONTH = 30 * 24 * 3600
"""Longest ban in seconds, unless the first ban is longer."""

HERE = Path(__file__).parent

TEXTS: Mapping[str, tuple[str, ...]] = {
    "TMPFILES": ("tmpfiles.conf", "HITS_DIRECTORY"),
    "LIVE": ("live.py", "LONGEST", "IGNORE"),
    "APPLY": ("apply.sh",),
    "SHARE": ("share.sh", "SHARED"),
    "BAN": ("ban.sh",),
    "UNBANNED": ("unbanned.sh", "LONGEST"),
    "UNBAN": ("unban.sh", "SHARED", "LONGEST"),
    "APPLY_SERVICE": ("bans-apply.service",),
    "SHARE_SERVICE": ("bans-share.service",),
    "TIMER": ("bans.timer",),
    "RSYSLOG": ("rsyslog.conf", "NETWORK", "OWN_HITS", "PORT"),
    "ROTATE_HITS": ("rotate-hits.sh",),
    "LOGROTATE": ("logrotate.conf",),
    "FILTER": ("filter.conf",),
    "ACTION": ("action.conf",),
    "JAIL": ("jail.conf", "IGNORE", "HITS", "SECONDS", "BAN_SECONDS", "MULTIPLIERS", "LONGEST"),
    "FAIL2BAN": ("fail2ban.conf", "REMEMBERED"),
    "NGINX_PATH": ("nginx-path.conf",),
    "NGINX_HITS": ("nginx-hits.conf",),
    "NGINX_REFUSE": ("nginx-refuse.conf",),
    "VCL": ("refuse.vcl",),
}
"""Parameters of fail2ban.sh: for each one a file, and the placeholders in it."""


@dataclass(frozen=True)
class Fail2banArgs:
    """One machine of the site: a web node or a balancer."""

    host: RemoteHost
    """The machine."""
    counters: Sequence[pulumi.Input[str]]
    """Private addresses of the other machines that count the site's hits. Two counters per site are enough. A machine
    that does not count learns of a ban over the volume: a second or two later, or, if a brick has just failed, once the
    volume has timed it out.
    """
    network: pulumi.Input[str]
    """Address range in CIDR form from which rsyslog takes hits."""
    ban_point: Literal["nftables", "proxy"]
    """`nftables` when visitors connect to this machine directly. `proxy` when they connect through a cloud's balancer:
    nginx and Varnish then refuse banned visitors. nftables drops packets from banned addresses in both cases.
    """
    nginx: bool
    """Whether this machine serves the site, so that its own hits count. nginx then runs as a user of its own, `nginx`:
    hits from PHP's user would let PHP ban any address.
    """
    shared: str
    """Directory on the volume for the shared bans; the machines create it."""
    ignore: Sequence[pulumi.Input[str]]
    """Addresses and ranges that are never banned, besides those of the settings: balancers, the private network,
    operators, trusted proxies.
    """
    bans: settings.Bans
    """Number of hits until a ban, and its length."""
    depends_on: Sequence[pulumi.Resource]
    """The mount of the volume, and on a web node nginx and Varnish."""


class Fail2ban(pulumi.ComponentResource):
    """Bans for addresses that flood the site or guess passwords, the same on every machine (one step).

    cloud-init/fail2ban.yaml installs the packages. An Amazon WAF IP set is not used: the ban point `proxy` works behind
    Amazon's balancer too, and bans an address no later than a change of the set would.
    """

    def __init__(self, name: str, args: Fail2banArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:fail2ban:Fail2ban", name, None, opts)
        params = pulumi.Output.all(
            counters=pulumi.Output.all(*args.counters), network=args.network, ignore=pulumi.Output.all(*args.ignore)
        ).apply(
            lambda addresses: texts(
                **addresses, ban_point=args.ban_point, nginx=args.nginx, shared=args.shared, bans=args.bans
            )
        )
        self.step = args.host.run(
            "fail2ban",
            HERE / "fail2ban.sh",
            params={name: params[name] for name in (*TEXTS, "PORT", "RESTART")},
            timeout=120,
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.depends_on),
        )
        self.register_outputs({})


def texts(
    counters: Sequence[str],
    network: str,
    ban_point: Literal["nftables", "proxy"],
    nginx: bool,
    shared: str,
    ignore: Sequence[str],
    bans: settings.Bans,
) -> dict[str, str]:
    """The parameters of fail2ban.sh; the arguments are the fields of `Fail2banArgs`.

    A file that the machine does not need is an empty text: the hit log without nginx, and the files that refuse
    visitors where they connect directly.
    """
    longest = longest_ban(bans)
    forwards = "".join(render(HERE / "rsyslog-forward.conf", COUNTER=counter, PORT=PORT) for counter in counters)
    values: Mapping[str, object] = {
        "NETWORK": network,
        "OWN_HITS": render(HERE / "rsyslog-own.conf", FORWARDS=forwards.rstrip("\n")) if nginx else "",
        # only root and nginx can enter it
        "HITS_DIRECTORY": "d /run/ha-wordpress/hits 710 root nginx\n" if nginx else "",
        "PORT": PORT,
        "IGNORE": " ".join([*ignore, *map(str, bans.ignore)]),
        "HITS": bans.hits,
        "SECONDS": bans.seconds,
        "BAN_SECONDS": bans.ban_seconds,
        # factors of BAN_SECONDS at an address's first ban, its second, and so on; the last one for all further bans
        "MULTIPLIERS": " ".join(str(bans.factor**earlier) for earlier in range(8)),
        "LONGEST": longest,
        "REMEMBERED": 2 * longest,
        "SHARED": shared,
    }
    rendered = {
        name: render(HERE / file, **{placeholder: values[placeholder] for placeholder in placeholders})
        for name, (file, *placeholders) in TEXTS.items()
    }
    left_out = ([] if nginx else ["NGINX_HITS", "NGINX_PATH"]) + (
        [] if ban_point == "proxy" else ["NGINX_REFUSE", "VCL"]
    )
    return {**rendered, **dict.fromkeys(left_out, ""), "PORT": str(PORT), "RESTART": RESTART.read_text()}


def longest_ban(bans: settings.Bans) -> int:
    """The longest ban in seconds: a month, or the first ban when that is longer."""
    return max(bans.ban_seconds, MONTH)
