"""The common part of drills on machines that existed before the stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from components.config.settings import GLUSTERD_PORT
from rehearsal import progress
from rehearsal.drills.base import Drill, machine_loss_name
from rehearsal.drills.reachability import OPERATOR, STRANGER, PortCheck
from rehearsal.project import PROJECT


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

    def machine_losses_of(self, *nodes: str) -> Mapping[str, Callable[[], object]]:
        """The losses of single machines for good, as parts of a drill; a lost machine's disk is lost too."""
        return {
            machine_loss_name(node, with_disk=with_disk): partial(self.machine_loss, node, with_disk=with_disk)
            for node in nodes
            for with_disk in [node in self.site.roles.bricks]
        }

    def machine_loss(self, node: str, *, with_disk: bool) -> None:
        """Lose one machine for good; a new one under its name has another host key, which the settings get."""
        with self.fault_window(machine_loss_name(node, with_disk=with_disk)) as window:
            window.begin(self.control.power_off(node), f"{node} is gone")
            survivors = self.survivors(window, node)
            self.deployment.set(f"{PROJECT}:nodes.{node}.host_key", self.control.replace_existing(node))
            window.mark("a new machine has booted under its name")
            self.replacement(window, node, survivors)

    def destroy(self) -> None:
        """Destroy the stack; its state must be empty, and the machines and the site must run on."""
        with progress.step("Destroying the stack, which must leave the machines running") as step:
            self.deployment.destroy(step)
        faults = [f"{name} is off" for name, running in sorted(self.control.machines().items()) if not running]
        faults += [f"{node} does not serve" for node in self.site.nodes if not self.site.healthy(node)]
        faults += [f"the stack still has {resource['urn']}" for resource in self.deployment.resources()]
        self.check("destroy leaves machines and site running", not faults, "; ".join(faults) or "yes", "yes")
