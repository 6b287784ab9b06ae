"""The drill of PHP sessions behind two balancers that share a virtual IP address."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from components.cloud.existing.settings import ExistingSettings
from components.haproxy.haproxy import HTTPS_PORT, PORT
from components.machine.etc_hosts import host_name
from rehearsal import progress
from rehearsal.deploy.stacks import LETS_ENCRYPT
from rehearsal.drills.acme import acme_stand_in, certificates_check
from rehearsal.drills.attacks.killed_services import KilledServices
from rehearsal.drills.base import PAGE_OUTAGE, POWER_LOSS_OF_ALL, REBOOT_OF_ALL, WRITE_OUTAGE
from rehearsal.drills.existing import ExistingDrill
from rehearsal.drills.fault_window import RETURN_LIMIT, FaultWindow
from rehearsal.drills.https import https_checks
from rehearsal.probes.address import AddressProbe
from rehearsal.probes.base import Probe, longest_outage
from rehearsal.probes.visitors import SessionProbe
from rehearsal.project import PROJECT
from rehearsal.report.model import FaultResult, Seconds

ACME = "certificates by ACME"
VISITORS = 10
ADDRESS_OUTAGE = 5.0
"""Seconds that the virtual IP address may be out when its balancer is lost."""
POST_GAP = 2.0
"""Seconds after PHP's kill within which a POST may fail: HAProxy sends only a GET again, and takes two failed checks,
one a second, to leave the server out.
"""
FLAPS = 10
FLAP_SECONDS = 1.0
"""Seconds for which a flapping link is down, and then up."""
NEWEST_RETURNS_LAST = "newest copy returns last"
BRICK_AWAY = "a brick is away"
NOT_WHOLE = "The site is not whole."
"""The beginning of the warnings of `pulumi up` about nodes."""
AWAY_SECONDS = 5.0
"""Seconds for which the brick with the newest copies stays away when the others have returned."""


class SessionsResult(FaultResult):
    """The figures of a fault, with those of the visitors' sessions."""

    address_outage_seconds: Seconds | None
    visits: int
    lost_visits: int
    lost_sessions: int


class SessionsDrill(ExistingDrill):
    """Faults: a power loss of all nodes, certificates by ACME, loss of the active balancer, of a PHP server and of each
    machine, a flapping private link, a stop of all bricks and of one, a reboot of all nodes.
    """

    def parts(self) -> Mapping[str, Callable[[], object]]:
        return {
            POWER_LOSS_OF_ALL: self.power_loss_of_all,
            "ports": self.check_site_ports,
            "HTTPS": self.check_https,
            ACME: self.obtain_certificates,
            "active balancer loses power": self.active_balancer_loss,
            **self.losses_of(self.site.roles.web[0]),
            KilledServices.name: self.kill_services,
            "link flaps": lambda: self.link_flaps(self.active_balancer()),
            **self.machine_losses_of(*self.site.nodes),
            NEWEST_RETURNS_LAST: self.newest_copy_returns_last,
            BRICK_AWAY: self.brick_away,
            REBOOT_OF_ALL: self.reboot_all,
        }

    @property
    def virtual_ip(self) -> str:
        """The address that the balancers share."""
        settings = self.site.settings
        assert isinstance(settings, ExistingSettings)
        return str(settings.network.virtual_ip)

    def check_https(self) -> None:
        """Check the certificate, the redirect and Strict-Transport-Security, if the site has HTTPS."""
        if self.site.settings.tls:
            self.checks += https_checks(self.site)

    def obtain_certificates(self) -> None:
        """Let the balancers obtain certificates, with visitors at work, if the settings have one for them now."""
        tls = self.site.settings.tls
        domain = self.site.settings.domain
        if tls is None or tls.acme or domain is None:
            return
        # the visitors of the fault trust the authorities that there are when they start
        self.control.start_acme_server(LETS_ENCRYPT)
        self.stand_ins.append(acme_stand_in(LETS_ENCRYPT))
        with self.fault_window(ACME) as window, progress.step("pulumi up, with tls.acme") as step:
            window.begin(time.time(), "pulumi up, with tls.acme")
            self.deployment.remove(f"{PROJECT}:tls.certificate")
            self.deployment.remove(f"{PROJECT}:tls_private_key")
            self.deployment.set(f"{PROJECT}:tls.acme.email", "editor@rehearsal.test")
            self.deployment.up(step)
            window.mark("pulumi up has ended")
            check = certificates_check(self.control, self.site.roles.balancers, domain, ACME)
            obtained = time.time()
            window.mark("the balancers have their certificates")
            window.wait(
                "every client is served", lambda: all(probe.succeeded_since(obtained) for probe in window.probes)
            )
            self.conclude_healed(window, window.probes)
        self.checks.append(check)
        attempts = [attempt for probe in window.probes if probe.kind == "page" for attempt in probe.attempts]
        failed = sum(attempt.error is not None for attempt in attempts)
        self.check("pages that fail", not failed, f"{failed:,} of {len(attempts):,}", "0", fault=ACME)

    def kill_services(self) -> None:
        """Kill each service of the active balancer and of a PHP server; it must return by itself."""
        balancer, web = self.active_balancer(), self.site.roles.web[0]
        services = [(balancer, "haproxy.service"), (balancer, "keepalived.service")]
        services += [(web, "php*-fpm.service"), (web, "nginx.service")]
        self.attack(KilledServices(self.site, services, self.visitors, failing=POST_GAP))

    def visitors(self) -> Sequence[Probe]:
        return [
            AddressProbe(self.virtual_ip, HTTPS_PORT if self.site.settings.tls else PORT),
            *(SessionProbe(f"visitor {number}", self.site.url) for number in range(1, VISITORS + 1)),
        ]

    def active_balancer(self) -> str:
        """The balancer that has the virtual IP address. Raises `LookupError` unless exactly one has it."""
        address = self.virtual_ip
        holders = [
            node
            for node in self.site.roles.balancers
            if f" {address}/" in self.site.on(node, "ip", "-oneline", "-4", "address", "show")
        ]
        if len(holders) != 1:
            raise LookupError(f"{address} must be on exactly one balancer; it is on {' and '.join(holders) or 'none'}")
        return holders[0]

    def active_balancer_loss(self) -> None:
        """Cut the power of the active balancer; the other balancer must take over the virtual IP address."""
        result = self.node_loss(self.active_balancer())
        assert isinstance(result, SessionsResult)
        self.check_outage(result, "address outage", result.address_outage_seconds, ADDRESS_OUTAGE)

    def link_flaps(self, node: str) -> None:
        """Cut and restore a node's link to the storage network several times."""
        with self.fault_window(f"{node}'s link flaps") as window:
            window.begin(time.time(), f"{node}'s private link flaps")
            for _ in range(FLAPS):
                self.control.cut_link(node, "eth1")
                time.sleep(FLAP_SECONDS)
                self.control.restore_link(node, "eth1")
                time.sleep(FLAP_SECONDS)
            steady = time.time()
            window.mark("the link stays up")
            window.wait(
                "every client is served again", lambda: all(probe.succeeded_since(steady) for probe in window.probes)
            )
            result = self.conclude_healed(window, window.probes)
        self.check_outage(result, "write outage", result.write_outage_seconds, WRITE_OUTAGE)
        self.check_outage(result, "page outage", result.page_outage_seconds, PAGE_OUTAGE)

    def newest_copy_returns_last(self) -> None:
        """Stop all bricks one after another, and start the one with the newest copies after the others.

        GlusterFS refuses the sessions that only this brick has in their last state; no visitor may lose one.
        """
        stale, newest, arbiter = self.site.roles.bricks
        with self.fault_window(NEWEST_RETURNS_LAST) as window:
            visitors = [probe for probe in window.probes if probe.kind == "page"]

            def served_since(moment: float) -> bool:
                return all(probe.succeeded_since(moment) for probe in visitors)

            window.begin(time.time(), f"{stale}'s brick stops")
            self.site.on(stale, "systemctl", "stop", "glusterd")
            stopped = time.time()
            window.wait("every visitor has visited", lambda: served_since(stopped))
            window.mark("all bricks stop")
            for node in (arbiter, newest):
                self.site.on(node, "systemctl", "stop", "glusterd")
            for node in (stale, arbiter):
                self.site.on(node, "systemctl", "start", "glusterd")
            window.mark(f"all bricks but {newest}'s are back")
            time.sleep(AWAY_SECONDS)
            self.site.on(newest, "systemctl", "start", "glusterd")
            back = time.time()
            window.mark(f"{newest}'s brick is back")
            window.wait("visitors are served again", lambda: served_since(back))
            result = self.conclude_healed(window, visitors)
        self.check_outage(result, "page outage", result.page_outage_seconds, RETURN_LIMIT)

    def brick_away(self) -> None:
        """Kill a brick; a `pulumi up` that changes nothing must warn of it, and of nothing while the site is whole."""
        node = self.site.roles.bricks[1]
        with self.fault_window(BRICK_AWAY) as window:
            whole = self.deployment.up(window.step)
            window.begin(time.time(), f"{node}'s brick is killed")
            self.site.on(node, "pkill", "-x", "glusterfsd")
            away = self.deployment.up(window.step)
            window.up_seconds = away.seconds
            window.mark("pulumi up has ended")
            self.site.on(node, "gluster", "--mode=script", "volume", "start", self.site.volume, "force")
            window.mark(f"{node}'s brick is back")
            result = self.conclude_healed(window, window.probes)
            back = self.deployment.up(window.step)
        before, during, after = (
            [warning for warning in up.warnings if warning.startswith(NOT_WHOLE)] for up in (whole, away, back)
        )
        named = any(f"brick {host_name(node)}:" in warning and "is offline" in warning for warning in during)
        self.check(
            "pulumi up names the missing brick",
            named,
            "yes" if named else " ".join(during) or "no",
            "yes",
            fault=result.name,
        )
        false = [*before, *after]
        self.check("warnings while the site is whole", not false, " ".join(false) or "0", "0", fault=result.name)
        self.check_outage(result, "write outage", result.write_outage_seconds, WRITE_OUTAGE)
        self.check_outage(result, "page outage", result.page_outage_seconds, PAGE_OUTAGE)

    def conclude(self, window: FaultWindow) -> SessionsResult:
        """Let every visitor verify its session once more, and add the sessions' figures and checks."""
        window.stop()
        visitors = [probe for probe in window.probes if isinstance(probe, SessionProbe)]
        errors = [f"{visitor.name}: {error}" for visitor in visitors if (error := visitor.verify_session())]
        result = SessionsResult(
            **dict(window.result()),
            address_outage_seconds=longest_outage(window.probes, "address", window.since, window.until),
            visits=sum(visitor.visits for visitor in visitors),
            lost_visits=sum(visitor.lost_visits for visitor in visitors),
            lost_sessions=sum(visitor.lost_sessions for visitor in visitors),
        )
        self.faults.append(result)
        self.check_writes(window, result)
        self.check(
            "visits lost",
            not result.lost_visits,
            f"{result.lost_visits:,} of {result.visits:,}",
            "0",
            fault=result.name,
        )
        self.check(
            "sessions, carts or logins lost",
            not result.lost_sessions and not errors,
            "; ".join(errors[:3]) or f"{result.lost_sessions:,}",
            "0",
            fault=result.name,
        )
        return result
