"""Type tokens that components had in an earlier version."""

from __future__ import annotations

import pulumi


def formerly(type_token: str, opts: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions:
    """`opts` with an alias to the component's earlier `type_token`.

    A stack that was deployed under the earlier token keeps its resources: the engine finds them, and those below them,
    by the alias (Pulumi documentation, "Resource options: aliases").
    """
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(aliases=[pulumi.Alias(type_=type_token)]))
