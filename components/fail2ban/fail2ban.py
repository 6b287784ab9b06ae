"""Fail2ban on a machine, and bans that the whole site holds.

Hits: nginx tells rsyslog of what may be an attack, rsyslog tells that of each counter (rsyslog.conf), and the fail2ban
of a counter counts the site's hits, that of another machine its own. Bans: each one is a fact with an end, in a file
(live.awk); nodes exchange these over the volume (share.sh) and apply them (apply.sh). Fail2ban has nothing of the kind
upstream (fail2ban #881), and its own bans end at a packet filter, which sees only the balancer's address behind one
(fail2ban #2258).

For operators, on any node: `unban ADDRESS`; `fail2ban-client status wordpress` for what this node has counted;
`nft list table inet ha-wordpress` for who is banned, and for how long still.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pulumi

from components.machine.remote import RemoteHost

PORT = 5514
"""TCP port that nodes tell each other of hits on, open between the nodes only; rsyslog takes none from outside of their
network. nginx tells its own machine on the same of UDP, which only that listens on."""

SHARED = ".ha-wordpress/bans"
"""Below a document root: nginx serves nothing that begins with a dot."""

MONTH = 30 * 24 * 3600

HERE = Path(__file__).parent

TEXTS = {
    "TMPFILES": "tmpfiles.conf",
    "LIVE": "live.awk",
    "APPLY": "apply.sh",
    "SHARE": "share.sh",
    "BAN": "ban.sh",
    "UNBANNED": "unbanned.sh",
    "UNBAN": "unban.sh",
    "APPLY_SERVICE": "bans-apply.service",
    "SHARE_SERVICE": "bans-share.service",
    "TIMER": "bans.timer",
    "RESTART": "restart.conf",
    "RSYSLOG": "rsyslog.conf",
    "LOGROTATE": "logrotate.conf",
    "FILTER": "filter.conf",
    "ACTION": "action.conf",
    "JAIL": "jail.conf",
    "FAIL2BAN": "fail2ban.conf",
    "NGINX_HITS": "nginx-hits.conf",
    "NGINX_REFUSE": "nginx-refuse.conf",
    "VCL": "refuse.vcl",
}
"""Parameters of fail2ban.sh, and the files that they are."""


@dataclass(frozen=True)
class Limits:
    """When an address is banned, and for how long.

    `hits` within `seconds` ban it for `ban_seconds`. Each further ban is `factor` times as long as the one before, up
    to a month, or to `ban_seconds` where that is more.
    """

    hits: int = 20
    seconds: int = 120
    ban_seconds: int = 43_200
    factor: int = 2

    @property
    def longest(self) -> int:
        """Seconds that no ban goes beyond."""
        return max(self.ban_seconds, MONTH)

    @property
    def multipliers(self) -> list[int]:
        """What `ban_seconds` is multiplied by at the first ban, the second, and so on; the last one for all further."""
        return [self.factor**times for times in range(8)]


@dataclass(frozen=True)
class Fail2banArgs:
    """`counters`: private addresses of the other machines that count the site's hits. Two in all are enough; one that
    does not count learns of a ban over the volume, a second or two later, and while a brick is being lost, when that is
    given up. `network`: the address range that hits are taken from.

    `ban_point`: "nftables" where visitors connect to this machine itself; "proxy" where a balancer that is not ours
    connects for them, and nginx and Varnish refuse (SSH is banned by nftables there too). `nginx`: this machine serves
    the site, and its hits count; a balancer only bans. `shared`: directory on the volume for nothing but bans, which
    is made. `ignore`: addresses and ranges that are never banned: balancers, the private network, operators.
    `depends_on`: nginx and Varnish where they are here, and the mount.
    """

    host: RemoteHost
    counters: Sequence[pulumi.Input[str]]
    network: pulumi.Input[str]
    ban_point: Literal["nftables", "proxy"]
    nginx: bool
    shared: str
    ignore: Sequence[pulumi.Input[str]]
    limits: Limits
    depends_on: Sequence[pulumi.Resource]


class Fail2ban(pulumi.ComponentResource):
    """Floods and guessed passwords banned, on every machine of the site alike (one step).

    The packages are those of cloud-init/fail2ban.yaml. An Amazon WAF IP set is not made: the ban point "proxy" holds
    there as everywhere, within the time that the set would need to spread.
    """

    def __init__(self, name: str, args: Fail2banArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:fail2ban:Fail2ban", name, None, opts)
        params = pulumi.Output.all(
            counters=pulumi.Output.all(*args.counters), network=args.network, ignore=pulumi.Output.all(*args.ignore)
        ).apply(
            lambda known: texts(
                **known, ban_point=args.ban_point, nginx=args.nginx, shared=args.shared, limits=args.limits
            )
        )
        self.step = args.host.run(
            "fail2ban",
            HERE / "fail2ban.sh",
            params={key: params[key] for key in (*TEXTS, "PORT")},
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
    limits: Limits,
) -> dict[str, str]:
    """The parameters of fail2ban.sh."""
    forward = (HERE / "rsyslog-forward.conf").read_text()
    values: Mapping[str, object] = {
        "NETWORK": network,
        "FORWARDS": "".join(forward.replace("@COUNTER@", counter) for counter in counters).rstrip("\n"),
        "PORT": PORT,
        "IGNORE": " ".join(ignore),
        "HITS": limits.hits,
        "SECONDS": limits.seconds,
        "BAN_SECONDS": limits.ban_seconds,
        "MULTIPLIERS": " ".join(map(str, limits.multipliers)),
        "LONGEST": limits.longest,
        "REMEMBERED": 2 * limits.longest,
        "SHARED": shared,
    }
    given = {"PORT": str(PORT)}
    for name, file in TEXTS.items():
        given[name] = (HERE / file).read_text()
        for key, value in values.items():
            given[name] = given[name].replace(f"@{key}@", str(value))
    left_out = ([] if nginx else ["NGINX_HITS"]) + ([] if ban_point == "proxy" else ["NGINX_REFUSE", "VCL"])
    return given | dict.fromkeys(left_out, "")
