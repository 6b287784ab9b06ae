"""Checks of HTTPS as a visitor's browser sees it: the certificate, the redirect, and Strict-Transport-Security."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx

from rehearsal.drills.site import Site
from rehearsal.report.model import Check

PATIENCE = 10.0
"""Seconds until the visitor gives up."""
PATH = "/?page_id=2"
MISSING = "/missing-page/"
"""A page that WordPress answers with an error. A first page that is asked for twice comes from the cache."""
HSTS = "max-age=31536000"


def https_checks(site: Site) -> Iterator[Check]:
    """Check HTTPS by the site's name, and that the same load balancer is refused by another name."""
    with httpx.Client(timeout=PATIENCE) as visitor:
        answers = [(path, visitor.get(f"{site.url}{path}")) for path in ("/", "/", MISSING)]
        missing = [f"{header(answer)} for {path}" for path, answer in answers if header(answer) != HSTS]
        yield Check(
            name="HTTPS required of browsers", passed=not missing, measured="; ".join(missing) or HSTS, limit=HSTS
        )

        plain = visitor.get(f"http://{urlsplit(site.url).hostname}{PATH}")
        target = plain.headers.get("Location", "no address")
        redirected = plain.is_redirect and target == f"{site.url}{PATH}" and header(plain) == "none"
        measured = "yes" if redirected else f"{plain.status_code} to {target}, {header(plain)}"
        yield Check(name="HTTP redirects to HTTPS", passed=redirected, measured=measured, limit="yes")

        refusal = refusal_of(visitor, f"https://{site.outputs['balancer_address']}/")
        yield Check(
            name="certificate checked: a wrong name is refused",
            passed="mismatch" in refusal,
            measured=refusal,
            limit="mismatch",
        )


def refusal_of(visitor: httpx.Client, url: str) -> str:
    """The reason why the check of a certificate fails; the status of the answer when it does not fail."""
    try:
        return f"status {visitor.get(url).status_code}"
    except httpx.ConnectError as error:
        reason = re.search(r"certificate verify failed: ([^,]*)", str(error))
        return reason[1] if reason else str(error)


def header(answer: httpx.Response) -> str:
    return str(answer.headers.get("Strict-Transport-Security", "none"))
