"""A warning at the end of `pulumi up` about nodes that are not whole."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pulumi

from components.roll.nodes import Nodes

ANSWER_LIMIT = 30.0
"""Seconds that a node has to tell what it lacks."""

SETTLE = 2.0
"""Seconds after which a node that lacks something is asked again, as a health check may notice a return only then."""


def warn_after(nodes: Nodes, steps: Sequence[pulumi.CustomResource]) -> pulumi.Output[None]:
    """Warn about what the nodes lack when all steps have run, whether they changed anything or not."""
    return pulumi.Output.all(*(step.id for step in steps)).apply(lambda _: warn(nodes))


async def warn(nodes: Nodes) -> None:
    """Ask all nodes at once, and those that lack something a second time; warn about what they still lack."""
    if lacking := await lacking_of(nodes, list(nodes.duties)):
        await asyncio.sleep(SETTLE)
        for problems in (await lacking_of(nodes, list(lacking))).values():
            pulumi.log.warn(f"The site is not whole. {problems}")


async def lacking_of(nodes: Nodes, names: Sequence[str]) -> dict[str, str]:
    """What each of the nodes lacks, without those that lack nothing."""
    asked = next((name for name, duties in nodes.duties.items() if duties.volume), None)

    async def ask(name: str) -> str:
        try:
            return await asyncio.wait_for(nodes.lacking(name, storage=True, healed=name == asked), ANSWER_LIMIT)
        except TimeoutError:
            return f"{name}: no answer within {ANSWER_LIMIT:.0f} s"

    answers = await asyncio.gather(*map(ask, names))
    return {name: answer for name, answer in zip(names, answers, strict=True) if answer}
