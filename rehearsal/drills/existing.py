"""The common part of drills on machines that existed before the stack."""

from __future__ import annotations

from rehearsal import progress
from rehearsal.drills.base import Drill


class ExistingDrill(Drill):
    """A drill of a site on machines that stay when the stack is destroyed."""

    def destroy(self) -> None:
        """Destroy the stack; its state must be empty, and the machines and the site must run on."""
        with progress.step("Destroying the stack, which must leave the machines running") as step:
            self.deployment.destroy(step)
        faults = [f"{name} is off" for name, running in sorted(self.control.machines().items()) if not running]
        faults += [f"{node} does not serve" for node in self.site.nodes if not self.site.healthy(node)]
        faults += [f"the stack still has {resource['urn']}" for resource in self.deployment.resources()]
        self.check("destroy leaves machines and site running", not faults, "; ".join(faults) or "yes", "yes")
