"""What the nodes themselves know of visitors: which requests came, what reached PHP, who is refused since when."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from rehearsal.drills.site import AWAY, Site
from rehearsal.probes.agents.flood import REFUSED

LOG = "/var/log/nginx/rehearsal.log"
NGINX = f"""\
log_format rehearsal '$msec $request_time $remote_addr $status $upstream_addr';
access_log {LOG} rehearsal;
"""
"""A log beside nginx's own, as that one's times are whole seconds and those of the end. $upstream_addr: PHP's."""
NGINX_FILE = "/etc/nginx/conf.d/rehearsal.conf"

BANNED = "/run/ha-wordpress/banned"
"""A file for each address that Varnish and nginx refuse, made when they are banned (components/fail2ban/apply.sh)."""
MAPPED = "::ffff:"

CLOCKS = 0.02
"""Seconds: nginx's clock goes by milliseconds, a file's time by the kernel's ticks, of up to 10 ms."""

Bans = Mapping[str, float]
"""Addresses that a node refuses, and since when, in seconds since the epoch."""


class Visit(NamedTuple):
    """A request that came as far as a node's nginx; times in seconds since the epoch."""

    node: str
    address: str
    start: float
    end: float
    status: int
    php: bool
    """Whether it went on to PHP."""


@contextmanager
def logged(site: Site) -> Iterator[None]:
    """Have every web node's nginx keep a log of `visits` meanwhile; one that is away afterwards keeps it for good."""
    for node in site.roles.web:
        site.on(node, "sh", "-c", f"cat >{NGINX_FILE} && nginx -tq && systemctl reload nginx", stdin=NGINX)
    try:
        yield
    finally:
        for node in site.roles.web:
            site.on(node, "sh", "-c", f"rm -f {NGINX_FILE} {LOG} && systemctl reload nginx")


def visits(site: Site) -> list[Visit]:
    return [visit for node in site.roles.web for visit in parsed_visits(node, site.on(node, "cat", LOG))]


def parsed_visits(node: str, log: str) -> Iterator[Visit]:
    for line in log.splitlines():
        end, seconds, address, status, upstream = line.split(" ", 4)
        yield Visit(node, address, float(end) - float(seconds), float(end), int(status), upstream != "-")


def bans(site: Site) -> dict[str, Bans]:
    """Who is refused, by every node that refuses anybody."""
    return {node: bans_at(site, node) for node in (*site.roles.web, *site.roles.balancers)}


def bans_at(site: Site, node: str) -> Bans:
    """Whom one node refuses; nobody, while it is away."""
    try:
        return parsed_bans(site.on(node, "find", BANNED, "-type", "f", "-printf", r"%f %T@\n"))
    except AWAY:
        return {}


def parsed_bans(listed: str) -> Bans:
    """From lines of an address and a time; an IPv4 address written as one of IPv6 is nobody else."""
    lines = (line.split() for line in listed.splitlines() if not line.startswith(MAPPED))
    return {address: float(moment) for address, moment in lines}


def ban_seconds(
    attackers: Collection[str], found: Sequence[Visit], banned: Mapping[str, Bans], hits: int
) -> float | None:
    """The longest time from the hit that was an attacker's last to be needed, on any node, to its ban on the last node.

    Whatever an attacker asks for, and is not refused, is a hit. None where an attacker has made fewer, or some node
    does not refuse it.
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
    """Requests of banned addresses that began after the node had banned them, and were PHP's work all the same."""
    never = float("inf")
    return [
        visit for visit in found if visit.php and visit.start > banned[visit.node].get(visit.address, never) + CLOCKS
    ]
