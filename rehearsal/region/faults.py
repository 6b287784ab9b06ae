"""Faults: what a drill may do to the machines, links and database of a running region."""

from __future__ import annotations

import subprocess
import time
from typing import Any

from rehearsal.region.capture import Capture, Flow
from rehearsal.region.machine import Machine
from rehearsal.region.network import Host
from rehearsal.region.preexisting import HandedOver, hand_over
from rehearsal.region.region import Region


class RegionControl:
    """What those who rehearse may do to a running region; machines go by the operator's names."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._captures: dict[tuple[str, str], Capture] = {}

    def hand_over(self, settings: dict[str, Any]) -> HandedOver:
        """Boot the machines that a stack's settings, as they stand in its file, say exist already."""
        return hand_over(self._region, settings)

    def machines(self) -> dict[str, bool]:
        """Every machine and whether it runs."""
        return {machine.name: machine.running for machine in self._region.machines.values()}

    def power_off(self, name: str) -> float:
        """Take a machine's power; returns the moment (`time.time`) at which its link went."""
        moment = time.time()
        self._machine(name).power_off()
        return moment

    def power_on(self, name: str) -> None:
        self._machine(name).power_on()

    def reboot(self, name: str) -> None:
        self._machine(name).reboot()

    def cut_link(self, name: str, interface: str) -> None:
        """Pull one cable of a machine that goes on running: it sees the carrier go."""
        self._region.network.cut(self._machine(name).host.port(interface))

    def restore_link(self, name: str, interface: str) -> None:
        self._region.network.restore(self._machine(name).host.port(interface))

    def start_capture(self, name: str, interface: str) -> None:
        """Note the TCP packets on one interface of a machine, until `stop_capture` or the loss of its power."""
        self._captures[name, interface] = self._region.new_capture(self._machine(name).host.port(interface))

    def stop_capture(self, name: str, interface: str) -> list[Flow]:
        """What passed since `start_capture`. Raises `ToolError` when a packet was missed or the power was lost."""
        return self._captures.pop((name, interface)).stop()

    def fail_over_database(self) -> float:
        moment = time.time()
        next(iter(self._region.databases.values())).fail_over()
        return moment

    def exec_prefix(self, name: str) -> list[str]:
        """The words to put before a command that shall run inside a machine."""
        return self._machine(name).exec_prefix()

    def netns_prefix(self, name: str) -> list[str]:
        """The words to put before a command that shall run at a host's place in the network, with this side's files:
        a machine's name, `balancer` or `database`.
        """
        return ["nsenter", f"--net={self._host(name).namespace}"]

    def chroot_prefix(self) -> list[str]:
        """The words to put before a program of the services' own tree, wherever one is: a browser, say."""
        return ["chroot", str(self._region.services.root)]

    def address(self, name: str) -> str:
        return self._machine(name).host.address

    def point(self, name: str) -> None:
        """Point a name at the load balancer, as the owner of a domain does after the first `up`."""
        balancer = next(iter(self._region.balancers.values()))
        self._region.dns.set(name, balancer.host.public)

    def reaches(self, source: str, target: str, port: int) -> bool:
        """Whether a host gets a TCP connection to another; each a machine's name, `balancer` or `database`."""
        attempt = ["timeout", "2", "bash", "-c", f"</dev/tcp/{self._host(target).address}/{port}"]
        done = subprocess.run([*self.netns_prefix(source), *attempt], check=False, capture_output=True)
        return done.returncode == 0

    def left_over(self) -> list[str]:
        """Ids of what the cloud still has and bills for."""
        return sorted(self._region.records)

    def _host(self, name: str) -> Host:
        if name == "balancer":
            return next(iter(self._region.balancers.values())).host
        if name == "database":
            return next(iter(self._region.databases.values())).active
        return self._machine(name).host

    def _machine(self, name: str) -> Machine:
        for machine in self._region.machines.values():
            if machine.name == name:
                return machine
        known = ", ".join(sorted(self.machines()))
        raise KeyError(f"no machine is called {name}; there are: {known}")
