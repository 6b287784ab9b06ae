"""Aliases for components whose type token has changed."""

from __future__ import annotations

import pulumi


def formerly(type_token: str, opts: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions:
    """`opts` with an alias to the component's earlier `type_token`.

    With the alias, a stack that was deployed under the earlier token keeps the component and its children (Pulumi
    documentation, "Resource options: aliases").
    """
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(aliases=[pulumi.Alias(type_=type_token)]))
