"""The nodes of a site: what each one does for it, and what each one lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.machine.remote import RemoteHost
from components.roll.node import Access, NodeError, run

HERE = Path(__file__).parent
CHECK = HERE / "check.sh"
DRAIN = HERE / "drain.sh"


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


class Nodes:
    """The nodes, asked over SSH once their addresses and keys are known.

    `duties`: of each node, by its name.
    """

    def __init__(self, duties: Mapping[str, Duties]) -> None:
        self.duties = duties
        self._keys: dict[str, tuple[str, str, str]] = {}
        self._addresses: dict[str, str] = {}

    def reach(self, host: RemoteHost) -> None:
        """Ask and drain a node by its address and its keys, once they are known."""
        pulumi.Output.from_input(host.address).apply(lambda address: self.learn(host.name, address))
        pulumi.Output.all(host.private_key, host.host_key).apply(
            lambda keys: self._keys.update({host.name: (host.user, keys[0], keys[1])})
        )

    def learn(self, name: str, address: str) -> None:
        """Use a node's address, from now on."""
        self._addresses[name] = address

    async def lacking(self, name: str, *, storage: bool, healed: bool, returned: bool = False) -> str:
        """What a node lacks, on one line; empty if it is whole.

        `storage`: whether to ask about its peers too. `healed`: whether to ask, with `storage`, about all bricks and
        their heals. `returned`: whether to put the node back into service first.
        """
        try:
            lines = await run(self._access(name), CHECK, self._params(name, storage, healed, returned))
        except NodeError as error:
            return f"{name}: {error}"
        return "; ".join(f"{name}: {line}" for line in lines.splitlines())

    async def in_service(self, name: str) -> str:
        """`yes` if a node does any of its duties, `no` if it does none; empty if it does not answer."""
        try:
            return await run(self._access(name), CHECK, {**self._params(name), "IN_SERVICE": "yes"})
        except NodeError:
            return ""

    async def drain(self, name: str, seconds: int, access: Access | None = None) -> None:
        """Take a web node out of the balancers, or warn. `seconds`: until every balancer has noticed.

        `access`: the way onto a node that the settings no longer name.
        """
        log = next((duties.access_log for duties in self.duties.values() if duties.access_log), "")
        params = {"LOG": log, "SECONDS_NOTICED": str(seconds)}
        try:
            if left := await run(access or self._access(name), DRAIN, params):
                pulumi.log.warn(f"{name} is changed although {left}.")
        except NodeError as error:
            pulumi.log.warn(f"{name} is changed although it could not be taken out of the balancer: {error}.")

    def _access(self, name: str) -> Access:
        """The way onto a node. Raises `NodeError` while it is unknown."""
        if name not in self._addresses or name not in self._keys:
            raise NodeError("its address is not known yet")
        user, private_key, host_key = self._keys[name]
        return Access(self._addresses[name], user, private_key, host_key)

    def _params(self, name: str, storage: bool = False, healed: bool = False, returned: bool = False) -> dict[str, str]:
        duties, words = self.duties[name], {True: "yes", False: ""}
        return {
            "URLS": "\n".join(duties.urls),
            "VOLUME": duties.volume if storage else "",
            "HEALED": words[healed],
            "RETURNED": words[returned],
            "IN_SERVICE": "",
        }
