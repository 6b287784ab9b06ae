"""The order in which nodes are changed: each one leaves the balancer, is changed and returns before the next."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.machine.remote import RemoteHost
from components.roll.node import Access, NodeError, run

HERE = Path(__file__).parent
CHECK = HERE / "check.sh"
DRAIN = HERE / "drain.sh"

NOTICED = 12
"""Seconds in which every balancer notices that a node has left or is back: two checks of Amazon's, 5 s apart."""

GATE_LIMIT = 600.0
"""Seconds that a change waits for the other nodes, which may still heal."""

RETURN_LIMIT = 1800.0
"""Seconds that a changed node has until it serves and all bricks are healed."""

STALL = 20.0
"""Seconds without service after which a node is out of service: longer than files stall when another node is lost."""

EVERY = 1.0
"""Seconds between two questions to the nodes."""


@dataclass(frozen=True)
class Duties:
    """A node's part in the site.

    `urls`: addresses on the node itself that answer 200 while it serves. `volume`: the volume's name if the node holds
    a brick of it, or else empty. `access_log`: log of the visitors' requests, if a balancer sends visitors to the node
    and its health check answers 503 while it is drained; or else empty.
    """

    urls: tuple[str, ...]
    volume: str
    access_log: str


class RollError(Exception):
    """A change of a node was refused, or a changed node did not come back."""


class Turns:
    """One turn for all nodes: only one node at a time is out of service because of a change.

    Before the change of a node that is in service, all others must be whole: they serve and, if the node's machine is
    changed, their peers are connected and every brick is online and has nothing to heal. Afterwards the changed node
    must become whole too. If it does not, `up` fails and changes no further node. A node that does none of its duties,
    or is off, waits for nothing: its change may be its repair. New nodes do not count as others, and the first `up`
    needs no turn, as it updates nothing.

    `duties`: of each node, by its name.
    """

    def __init__(self, duties: Mapping[str, Duties]) -> None:
        self._duties = duties
        self._keys: dict[str, tuple[str, str, str]] = {}
        self._addresses: dict[str, str] = {}
        self._created: set[str] = set()
        self._lock = asyncio.Lock()
        self._holder = self._holder_name = ""
        self._storage = False
        self._failure = ""

    def of(self, name: str) -> Turn:
        """The turn of a node."""
        return Turn(self, name)

    def reach(self, host: RemoteHost) -> None:
        """Ask and drain a node by its address and its keys, once they are known."""
        pulumi.Output.from_input(host.address).apply(lambda address: self.learn(host.name, address))
        pulumi.Output.all(host.private_key, host.host_key).apply(
            lambda keys: self._keys.update({host.name: (host.user, keys[0], keys[1])})
        )

    def learn(self, name: str, address: str) -> None:
        """Use a node's address, from now on."""
        self._addresses[name] = address

    def add(self, name: str) -> None:
        """Take a node as new: the others do not wait for it."""
        self._created.add(name)

    async def begin(self, name: str, urn: str, *, storage: bool) -> None:
        """Take the turn for the change of a node's resource, and drain the node.

        `storage`: whether the change stops the node's brick too. The bricks of the others matter only then: a step that
        follows another node's replacement need not wait for the heal.

        Raises `RollError`, and takes no turn, if the node must not be changed now.
        """
        self._refuse_after_failure(name)
        if await self._out_of_service(name):
            pulumi.log.info(f"{name} is out of service: its change waits for no other node.")
            return
        await self._lock.acquire()
        self._holder, self._holder_name = urn, name
        try:
            self._refuse_after_failure(name)
            self._storage = storage
            if problems := await self._wait(name, self._problems_of_others, GATE_LIMIT, steady=0):
                self._failure = f"the site needs the nodes that it has: {problems}"
                raise RollError(
                    f"{name} was not changed, as the site needs it: {problems}. Nothing was touched. Wait until all "
                    "bricks are healed, or repair the node that is named; then run the update again."
                )
            if log := self._duties[name].access_log:
                pulumi.log.info(f"{name} leaves the balancer.")
                await self._drain(name, log)
        except BaseException:
            self._release()
            raise

    async def end(self, name: str, urn: str) -> None:
        """Put a changed node back into service, and give the turn back. Raises `RollError` if it does not return."""
        if self._holder != urn:
            return
        steady = NOTICED if self._duties[name].access_log else 0
        try:
            if problems := await self._wait(name, self._problems_after_change, RETURN_LIMIT, steady):
                self._failure = f"{name} was changed and did not come back: {problems}"
                raise RollError(
                    f"{self._failure}. No other node is changed after it. Repair it, then run the update again."
                )
            pulumi.log.info(f"{name} serves again.")
        finally:
            self._release()

    async def fail(self, name: str, urn: str) -> None:
        """Put a node whose change failed back into service, and change no further node."""
        if self._holder != urn:
            return
        self._failure = f"the change of {name} failed"
        try:
            await self._problems_after_change(name)
        finally:
            self._release()

    async def _drain(self, name: str, log: str) -> None:
        try:
            if left := await run(self._access(name), DRAIN, {"LOG": log, "SECONDS_NOTICED": str(NOTICED)}):
                pulumi.log.warn(f"{name} is changed although {left}.")
        except NodeError as error:
            pulumi.log.warn(f"{name} is changed although it could not be taken out of the balancer: {error}.")

    def _access(self, name: str) -> Access:
        """The way onto a node. Raises `NodeError` while it is unknown."""
        if name not in self._addresses or name not in self._keys:
            raise NodeError("its address is not known yet")
        user, private_key, host_key = self._keys[name]
        return Access(self._addresses[name], user, private_key, host_key)

    def _release(self) -> None:
        self._holder = self._holder_name = ""
        self._lock.release()

    def _refuse_after_failure(self, name: str) -> None:
        if self._failure:
            raise RollError(f"{name} was not touched, because {self._failure}.")

    async def _wait(self, name: str, ask: Callable[[str], Awaitable[str]], limit: float, steady: float) -> str:
        """Ask until there has been no problem for `steady` seconds; returns the last problem after `limit` seconds."""
        end, shown, good_since = time.monotonic() + limit, "", None
        while True:
            problems, now = await ask(name), time.monotonic()
            if problems:
                good_since = None
                if now >= end:
                    return problems
                if problems != shown:
                    shown = problems
                    pulumi.log.info(f"{name}: waiting, {end - now:.0f} s at most: {problems}")
            elif now - (good_since := good_since or now) >= steady:
                return ""
            await asyncio.sleep(EVERY)

    async def _problems_of_others(self, name: str) -> str:
        others = [other for other in self._duties if other != name and other not in self._created]
        asked = next((other for other in others if self._duties[other].volume), None)
        # a node that an update which was killed has drained is put back into service: nobody else has the turn
        checks = (self._check(other, healed=other == asked, returned=True) for other in others)
        answers = await asyncio.gather(*checks)
        return "; ".join(answer for answer in answers if answer)

    async def _problems_after_change(self, name: str) -> str:
        return await self._check(name, healed=True, returned=True)

    async def _check(self, name: str, *, healed: bool = False, returned: bool = False) -> str:
        """What a node lacks, on one line; empty if it is whole."""
        try:
            lines = await run(self._access(name), CHECK, self._params(name, healed=healed, returned=returned))
        except NodeError as error:
            return f"{name}: {error}"
        return "; ".join(f"{name}: {line}" for line in lines.splitlines())

    async def _out_of_service(self, name: str) -> bool:
        """Whether a node has done none of its duties for `STALL` seconds, or is off: then a change takes nothing away.

        A node that does not answer is off only if another one answers.
        """
        end = time.monotonic() + STALL
        while True:
            if self._holder_name == name or (answer := await self._in_service(name)) == "yes":
                return False
            if time.monotonic() >= end:
                break
            await asyncio.sleep(EVERY)
        return answer == "no" or any([await self._in_service(other) for other in self._duties if other != name])

    async def _in_service(self, name: str) -> str:
        """`yes` if a node does any of its duties, `no` if it does none; empty if it does not answer."""
        try:
            return await run(self._access(name), CHECK, self._params(name, in_service=True))
        except NodeError:
            return ""

    def _params(
        self, name: str, *, healed: bool = False, returned: bool = False, in_service: bool = False
    ) -> dict[str, str]:
        duties, words = self._duties[name], {True: "yes", False: ""}
        return {
            "URLS": "\n".join(duties.urls),
            "VOLUME": duties.volume if self._storage else "",
            "HEALED": words[healed],
            "RETURNED": words[returned],
            "IN_SERVICE": words[in_service],
        }


class Turn:
    """A node's turn, as hooks of its resources.

    `change`: hooks of a step whose update interrupts the node. `creation`: hooks of its first step.
    """

    def __init__(self, turns: Turns, name: str) -> None:
        async def begin(args: pulumi.ResourceHookArgs) -> None:
            await turns.begin(name, args.urn, storage=False)

        async def begin_machine(args: pulumi.ResourceHookArgs) -> None:
            await turns.begin(name, args.urn, storage=True)

        async def end(args: pulumi.ResourceHookArgs) -> None:
            await turns.end(name, args.urn)

        async def fail(args: pulumi.ErrorHookArgs) -> bool:
            await turns.fail(name, args.urn)
            return False

        def create(args: pulumi.ResourceHookArgs) -> None:
            turns.add(name)

        self._turns, self._name = turns, name
        self._begin_machine = begin_machine
        self.change = pulumi.ResourceHookBinding(
            before_update=[pulumi.ResourceHook(f"{name}-leaves", begin)],
            after_update=[pulumi.ResourceHook(f"{name}-returns", end)],
            on_error=[pulumi.ErrorHook(f"{name}-fails", fail)],
        )
        self.creation = pulumi.ResourceHookBinding(before_create=[pulumi.ResourceHook(f"{name}-is-new", create)])

    def machine(self, address: str | None = None) -> pulumi.ResourceHookBinding:
        """Hooks of the node's machine, whose update interrupts the node.

        `address`: the machine's output that the steps connect to, as the engine names it. It is unknown to the program
        while the machine is being changed, and the other nodes' turns need it. None: the address is not the machine's.
        """

        def learn(args: pulumi.ResourceHookArgs) -> None:
            if address and args.old_outputs:
                self._turns.learn(self._name, args.old_outputs[address])

        known = pulumi.ResourceHook(f"{self._name}-address", learn)
        leaves = pulumi.ResourceHook(f"{self._name}-stops", self._begin_machine)
        return pulumi.ResourceHookBinding(
            before_update=[known, leaves], after_update=self.change.after_update, on_error=self.change.on_error
        )
