"""Calls of WordPress's XML-RPC, with the login that the stack's outputs name."""

from __future__ import annotations

import xmlrpc.client
from typing import Any

from rehearsal.drills.site import Site


def call(site: Site, node: str, method: str, *arguments: Any, before: tuple[Any, ...] = ()) -> Any:
    """The answer of a method on one node.

    `before`, `arguments`: the method's arguments before and after the login. Raises `xmlrpc.client.Fault` when
    WordPress refuses the call, and `ToolError` when it does not answer.
    """
    login = (site.outputs["admin_user"], site.outputs["admin_password"])
    text = site.on(
        node, "curl", "--silent", "--show-error", "--fail", "--max-time", "60",
        "--header", "Content-Type: text/xml", "--data-binary", "@-", "http://127.0.0.1/xmlrpc.php",
        stdin=xmlrpc.client.dumps((*before, *login, *arguments), method),
    )  # fmt: skip
    ((answer,), _) = xmlrpc.client.loads(text)
    return answer
