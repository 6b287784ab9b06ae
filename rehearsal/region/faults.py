"""Faults: power loss, loss for good, reboot, cut links and a database failover, on a running region."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from operator import methodcaller

from rehearsal.region.machine import Machine
from rehearsal.region.region import Region


class FaultInjector:
    """Injects faults into a running region. A machine is named as in the stack.

    A method that takes a machine's name raises `KeyError` when no machine has it.
    """

    def __init__(self, region: Region) -> None:
        self._region = region

    def power_off(self, *names: str) -> float:
        """Cut the power of machines, at once; returns the time of day (`time.time`) right before their links went down.

        No machine sees the end of another: their links go down in one operation before any of them ends.
        """
        machines = [self._machine(name) for name in names]
        moment = time.time()
        self._region.network.cut(*(port for machine in machines if machine.running for port in machine.endpoint.ports))
        with ThreadPoolExecutor() as pool:
            list(pool.map(methodcaller("power_off"), machines))
        return moment

    def power_on(self, name: str) -> None:
        """Boot a machine that is off."""
        self._machine(name).power_on()

    def lose_machine(self, name: str) -> None:
        """Lose a machine of a cloud for good: its power goes, then the machine itself; its data disks stay."""
        self.power_off(name)
        machine = self._machine(name)
        self._region.records[next(key for key, other in self._region.machines.items() if other is machine)].lose()

    def lose_disks(self, name: str) -> None:
        """Lose the data disks of a cloud's machine for good; when it runs, a file system on them fails."""
        lost = [attachment.disk for attachment in self._machine(name).attachments]
        for key in [key for key, disk in self._region.disks.items() if disk in lost]:
            self._region.records[key].lose()

    def reboot(self, name: str) -> None:
        """Ask a machine's init for an orderly reboot."""
        self._machine(name).reboot()

    def cut_link(self, name: str, interface: str) -> None:
        """Take down one link of a machine that stays on; the machine sees the carrier go."""
        self._region.network.cut(self._machine(name).endpoint.port(interface))

    def restore_link(self, name: str, interface: str) -> None:
        """Bring a link up that was cut."""
        self._region.network.restore(self._machine(name).endpoint.port(interface))

    def fail_over_database(self) -> float:
        """Take the database's active endpoint down; returns the time of day (`time.time`) right before.

        Raises `ToolError` when the database has no standby.
        """
        moment = time.time()
        next(iter(self._region.databases.values())).fail_over()
        return moment

    def _machine(self, name: str) -> Machine:
        for machine in self._region.machines.values():
            if machine.name == name:
                return machine
        known = ", ".join(sorted(machine.name for machine in self._region.machines.values()))
        raise KeyError(f"no machine is called {name}; choose one of: {known}")
