"""What drills of machines that existed before have in common: nothing was rented, so nothing of it goes."""

from __future__ import annotations

from rehearsal import progress
from rehearsal.drills.base import Drill


class ExistingDrill(Drill):
    """A drill of a site on machines that stay when the stack is destroyed."""

    def way_down(self) -> None:
        """`destroy` forgets the machines, and takes nothing from them."""
        with progress.step("Destroying, which has to leave the machines alone") as shown:
            self.deployment.destroy(shown)
        wrong = [f"{name} is off" for name, running in sorted(self.control.machines().items()) if not running]
        wrong += [f"{node} does not serve" for node in self.site.nodes if not self.site.healthy(node)]
        wrong += [f"the stack still has {resource['urn']}" for resource in self.deployment.resources()]
        self.check(
            "destroy leaves the machines, and the site on them, as they are",
            not wrong,
            "; ".join(wrong) or "they all serve",
            "they all serve",
        )
