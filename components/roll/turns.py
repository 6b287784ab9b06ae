"""The order in which nodes are changed: each one leaves the balancer, is changed and returns before the next."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pulumi

from components.roll.node import Access
from components.roll.nodes import Nodes

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


class RollError(Exception):
    """A change of a node was refused, or a changed node did not come back."""


class Turns:
    """One turn for all nodes: only one node at a time is out of service because of a change.

    Before the change of a node that is in service, all others must be whole: they serve and, if the node's machine is
    changed, their peers are connected and every brick is online and has nothing to heal. Afterwards the changed node
    must become whole too. If it does not, `up` fails and changes no further node. A node that does none of its duties,
    or is off, waits for nothing: its change may be its repair. New nodes do not count as others, and the first `up`
    needs no turn, as it updates nothing.

    A replacement takes no turn, so a preview refuses to replace two machines in one update. The update itself cannot:
    by then, the engine has marked what depends on a machine for replacement, and goes on with that in the next update.

    Machines of nodes that the settings no longer name are deleted at the end of an update. A web node leaves the
    balancer before.

    `protect_data`: whether the stack's data is protected. `pulumi destroy` does not run the program, and is refused
    while a resource has a hook of its deletion.
    """

    def __init__(self, nodes: Nodes, *, protect_data: bool) -> None:
        self.nodes = nodes
        # One hook of all nodes, because the state names it when a node has left the settings. The refusal of `pulumi
        # destroy` shows this name: that of the setting to change.
        hook = pulumi.ResourceHook("protect_data", self._judge_deletion, pulumi.ResourceHookOptions(on_dry_run=True))
        self.deletion = [hook] if protect_data else []
        leaves = pulumi.ResourceHook("protect_data-leaves", self._let_go)
        self.departure = [leaves] if protect_data else []
        self._deleted: set[str] = set()
        self._created: set[str] = set()
        self._lock = asyncio.Lock()
        self._holder = self._holder_name = ""
        self._storage = False
        self._failure = ""

    def of(self, name: str) -> Turn:
        """The turn of a node."""
        return Turn(self, name)

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
            if self.nodes.duties[name].access_log:
                pulumi.log.info(f"{name} leaves the balancer.")
                await self.nodes.drain(name, NOTICED)
        except BaseException:
            self._release()
            raise

    async def end(self, name: str, urn: str) -> None:
        """Put a changed node back into service, and give the turn back. Raises `RollError` if it does not return."""
        if self._holder != urn:
            return
        steady = NOTICED if self.nodes.duties[name].access_log else 0
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

    def _judge_deletion(self, args: pulumi.ResourceHookArgs) -> None:
        """In a preview, refuse to replace a machine beside another deletion; a machine has its node's name."""
        if not pulumi.runtime.is_dry_run():
            return
        self._deleted.add(args.name)
        if len(self._deleted) > 1 and self._deleted & self.nodes.duties.keys():
            raise RollError(
                f"{' and '.join(sorted(self._deleted))} would leave the site in one update, for good or to be "
                "replaced. Replace one in each update and remove none in it, and the next when all bricks are healed."
            )

    async def _let_go(self, args: pulumi.ResourceHookArgs) -> None:
        """Drain a web node that the settings no longer name, before its first step and its machine are deleted."""
        name, _, _ = args.name.rpartition("-")
        if name not in self.nodes.duties and args.old_inputs:
            # an output, as it is secret
            known = await pulumi.Output.from_input(args.old_inputs["connection"]).future()
            assert known
            access = Access(known["host"], known["user"], known["privateKey"], known["hostKey"])
            pulumi.log.info(f"{name} leaves the balancer for good.")
            await self.nodes.drain(name, NOTICED, access)

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
        duties = self.nodes.duties
        others = [other for other in duties if other != name and other not in self._created]
        asked = next((other for other in others if duties[other].volume), None)
        # a node that an update which was killed has drained is put back into service: nobody else has the turn
        checks = (
            self.nodes.lacking(other, storage=self._storage, healed=other == asked, returned=True) for other in others
        )
        answers = await asyncio.gather(*checks)
        return "; ".join(answer for answer in answers if answer)

    async def _problems_after_change(self, name: str) -> str:
        return await self.nodes.lacking(name, storage=self._storage, healed=True, returned=True)

    async def _out_of_service(self, name: str) -> bool:
        """Whether a node has done none of its duties for `STALL` seconds, or is off: then a change takes nothing away.

        A node that does not answer is off only if another one answers.
        """
        end = time.monotonic() + STALL
        while True:
            if self._holder_name == name or (answer := await self.nodes.in_service(name)) == "yes":
                return False
            if time.monotonic() >= end:
                break
            await asyncio.sleep(EVERY)
        return answer == "no" or any(
            [await self.nodes.in_service(other) for other in self.nodes.duties if other != name]
        )


class Turn:
    """A node's turn, as hooks of its resources.

    `change`: hooks of a step whose update interrupts the node. `lifetime`: hooks of its first step, which is made
    and deleted with the node.
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
        self.lifetime = pulumi.ResourceHookBinding(
            before_create=[pulumi.ResourceHook(f"{name}-is-new", create)],
            before_delete=turns.departure if turns.nodes.duties[name].access_log else [],
        )

    def machine(self, address: str | None = None) -> pulumi.ResourceHookBinding:
        """Hooks of the node's machine, whose update interrupts the node and whose deletion is judged.

        `address`: the machine's output that the steps connect to, as the engine names it. It is unknown to the program
        while the machine is being changed, and the other nodes' turns need it. None: the address is not the machine's.
        """

        def learn(args: pulumi.ResourceHookArgs) -> None:
            if address and args.old_outputs:
                self._turns.nodes.learn(self._name, args.old_outputs[address])

        known = pulumi.ResourceHook(f"{self._name}-address", learn)
        leaves = pulumi.ResourceHook(f"{self._name}-stops", self._begin_machine)
        return pulumi.ResourceHookBinding(
            before_update=[known, leaves],
            after_update=self.change.after_update,
            on_error=self.change.on_error,
            before_delete=self._turns.deletion,
        )
