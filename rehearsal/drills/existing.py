"""The common part of drills on machines that existed before the stack."""

from __future__ import annotations

from components.config.settings import GLUSTERD_PORT
from rehearsal import progress
from rehearsal.drills.base import Drill
from rehearsal.drills.reachability import OPERATOR, STRANGER, PortCheck


class ExistingDrill(Drill):
    """A drill of a site on machines that stay when the stack is destroyed."""

    def check_site_ports(self) -> None:
        """Check that nothing outside of the private network reaches a storage port, or a web node behind a balancer."""
        first, second, *_ = self.site.roles.bricks
        public, storage = self.site.addresses[first], (GLUSTERD_PORT, self.site.brick_port(first))
        closed = [(public, port) for port in storage]
        if self.site.roles.balancers:
            closed += [(self.site.addresses[node], 80) for node in self.site.roles.web]
        self.check_ports(
            inner=[PortCheck(second, first, port, True) for port in storage],
            outer=[
                PortCheck(OPERATOR, public, 22, True),
                *(PortCheck(source, *target, False) for source in (OPERATOR, STRANGER) for target in closed),
            ],
        )

    def destroy(self) -> None:
        """Destroy the stack; its state must be empty, and the machines and the site must run on."""
        with progress.step("Destroying the stack, which must leave the machines running") as step:
            self.deployment.destroy(step)
        faults = [f"{name} is off" for name, running in sorted(self.control.machines().items()) if not running]
        faults += [f"{node} does not serve" for node in self.site.nodes if not self.site.healthy(node)]
        faults += [f"the stack still has {resource['urn']}" for resource in self.deployment.resources()]
        self.check("destroy leaves machines and site running", not faults, "; ".join(faults) or "yes", "yes")
