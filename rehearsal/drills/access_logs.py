"""The nodes' own records of visitors: every request, whether it reached PHP, and the time of every ban."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from rehearsal.drills.site import NODE_DOWN_ERRORS, Site
from rehearsal.probes.agents.flood import REFUSED

LOG = "/var/log/nginx/rehearsal.log"
NGINX_CONFIG = f"""\
log_format rehearsal '$msec $request_time $remote_addr $status $upstream_addr';
access_log {LOG} rehearsal;
"""
"""A second log, because nginx's own has end times in whole seconds. $upstream_addr is the address of PHP, or `-` for a
request that nginx answered itself.
"""
NGINX_FILE = "/etc/nginx/conf.d/rehearsal.conf"

BANNED = "/run/ha-wordpress/banned"
"""A directory with a file for each banned address, created when the ban starts (components/fail2ban/apply.sh)."""
IPV4_MAPPED = "::ffff:"

CLOCK_TOLERANCE = 0.02
"""Seconds: nginx's times are in milliseconds, a file's time advances by kernel ticks of up to 10 ms."""

Bans = Mapping[str, float]
"""The addresses that a node refuses, each with the start of its ban in seconds since the epoch."""


class Visit(NamedTuple):
    """A request that reached a node's nginx; times in seconds since the epoch."""

    node: str
    address: str
    start: float
    end: float
    status: int
    php: bool
    """Whether nginx passed it to PHP."""


@contextmanager
def logged(site: Site) -> Iterator[None]:
    """Log requests on every web node during the block, for `visits`.

    Raises one of `NODE_DOWN_ERRORS` when a node is down; one that is down at the end of the block keeps its log.
    """
    for node in site.roles.web:
        site.on(node, "sh", "-c", f"cat >{NGINX_FILE} && nginx -tq && systemctl reload nginx", stdin=NGINX_CONFIG)
    try:
        yield
    finally:
        for node in site.roles.web:
            site.on(node, "sh", "-c", f"rm -f {NGINX_FILE} {LOG} && systemctl reload nginx")


def visits(site: Site) -> list[Visit]:
    """All requests on all web nodes since `logged` began."""
    return [visit for node in site.roles.web for visit in parsed_visits(node, site.on(node, "cat", LOG))]


def parsed_visits(node: str, log: str) -> Iterator[Visit]:
    for line in log.splitlines():
        end, seconds, address, status, upstream = line.split(" ", 4)
        yield Visit(node, address, float(end) - float(seconds), float(end), int(status), upstream != "-")


def bans(site: Site) -> dict[str, Bans]:
    """The bans of every web node and balancer, by node."""
    return {node: bans_at(site, node) for node in (*site.roles.web, *site.roles.balancers)}


def bans_at(site: Site, node: str) -> Bans:
    """The bans of one node; none while it is down."""
    try:
        return parsed_bans(site.on(node, "find", BANNED, "-type", "f", "-printf", r"%f %T@\n"))
    except NODE_DOWN_ERRORS:
        return {}


def dropped_at(site: Site, node: str) -> dict[str, float]:
    """The IPv4 addresses whose packets a node drops, each with the seconds left of its ban."""
    listing = site.on(node, "nft", "--json", "list", "set", "inet", "ha-wordpress", "banned4")
    (banned,) = (part["set"] for part in json.loads(listing)["nftables"] if "set" in part)
    elements = [element["elem"] for element in banned.get("elem", [])]
    return {element["val"]: element["expires"] for element in elements}


def parsed_bans(listing: str) -> Bans:
    """Parse lines of an address and a time; IPv4-mapped IPv6 addresses are left out, as they repeat an IPv4 address."""
    lines = (line.split() for line in listing.splitlines() if not line.startswith(IPV4_MAPPED))
    return {address: float(moment) for address, moment in lines}


def slowest_ban(
    attackers: Collection[str], found: Sequence[Visit], banned: Mapping[str, Bans], hits: int
) -> float | None:
    """Slowest ban in seconds: from the hit that reached the threshold until the last node refused the address.

    Every request of an attacker that is not refused counts as a hit, on whatever node. `hits`: the threshold. None when
    an attacker made fewer hits or a node does not refuse it.
    """
    times = []
    for address in attackers:
        ends = sorted(visit.end for visit in found if visit.address == address and visit.status != REFUSED)
        moments = [refused[address] for refused in banned.values() if address in refused]
        if len(ends) < hits or len(moments) < len(banned):
            return None
        times.append(max(moments) - ends[hits - 1])
    return max(times, default=None)


def php_after_ban(found: Iterable[Visit], banned: Mapping[str, Bans]) -> list[Visit]:
    """The requests that reached PHP although the node had banned their address before they began."""
    never = float("inf")
    return [
        visit
        for visit in found
        if visit.php and visit.start > banned[visit.node].get(visit.address, never) + CLOCK_TOLERANCE
    ]
