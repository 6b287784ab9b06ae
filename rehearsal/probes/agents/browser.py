"""A browser that writes a WordPress post as its author, or reads it on every node as a visitor.

Standard input: one line of JSON, a `BrowserTask`. On failure, the exception names the missing element and quotes the
page.

Usage: python -m rehearsal.probes.agents.browser write|read
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import Browser, Error, Route, expect, sync_playwright

TIMEOUT_MS = 60_000
"""Long, because the editor loads about 200 files that no cache has, and all machines share two processors."""
DEVTOOLS = "DevTools listening on "
"""Chromium prints the URL of its DevTools socket behind this, on standard error."""


@dataclass(frozen=True)
class BrowserTask:
    """A post, and how to reach the site.

    `chromium`: the command that starts Debian's Chromium. `nodes`: addresses of the nodes to read the post on.
    """

    chromium: list[str]
    url: str
    nodes: list[str]
    user: str
    password: str
    title: str
    text: str


@contextmanager
def browsing(task: BrowserTask) -> Iterator[Browser]:
    """A browser that resolves the site's name only, so that it connects to no other host."""
    host = urlsplit(task.url).hostname or ""
    chromium = subprocess.Popen(
        [
            *task.chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-sync",
            "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
            "--no-first-run", "--remote-debugging-port=0",
            f"--host-resolver-rules=MAP {host} {socket.gethostbyname(host)}",
        ],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert chromium.stderr
        output = []
        for line in chromium.stderr:
            output.append(line)
            if line.startswith(DEVTOOLS):
                break
        else:
            raise RuntimeError(f"Chromium did not start: {''.join(output)[-2000:]}")
        with sync_playwright() as playwright:
            yield playwright.chromium.connect_over_cdp(output[-1].removeprefix(DEVTOOLS).strip())
    finally:
        chromium.kill()
        chromium.wait()


def write(browser: Browser, task: BrowserTask) -> None:
    """Log in, write a post in WordPress's editor, and publish it."""
    page = browser.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    editor = f"{task.url}/wp-admin/post-new.php"
    page.goto(f"{task.url}/wp-login.php?{urlencode({'redirect_to': editor})}", wait_until="domcontentloaded")
    page.fill("#user_login", task.user)
    page.fill("#user_pass", task.password)
    page.click("#wp-submit")
    # the editor shows its tour at a user's first visit
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    # fill at once: the tour may take the focus while it closes, and typed characters would be lost
    canvas = page.frame_locator("iframe[name='editor-canvas']")
    title = canvas.get_by_role("textbox", name="Add title")
    title.fill(task.title)
    title.press("Enter")
    page.keyboard.insert_text(task.text)
    expect(title).to_have_text(task.title)
    expect(canvas.get_by_text(task.text)).to_be_visible()
    page.get_by_role("button", name="Publish", exact=True).click()
    page.get_by_label("Editor publish").get_by_role("button", name="Publish", exact=True).click()
    expect(page.locator(".post-publish-panel__postpublish-header a")).to_be_visible()


def read(browser: Browser, task: BrowserTask) -> None:
    """Open the post from the site's first page on each node; its tab gets all answers from that node alone."""
    pages = []
    for node in task.nodes:
        page = browser.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.route("**/*", partial(forward, node))
        pages.append(page)
    for page in pages:
        page.goto(task.url, wait_until="commit")
    for page in pages:
        page.get_by_role("link", name=task.title).first.click(no_wait_after=True)
    for page in pages:
        expect(page.get_by_text(task.text)).to_be_visible()


def forward(node: str, route: Route) -> None:
    """Answer a tab's request with the answer of a node, which is asked as the load balancer asks it."""
    url = urlsplit(route.request.url)
    headers = {**route.request.headers, "host": url.netloc, "x-forwarded-proto": url.scheme}
    at_node = url._replace(scheme="http", netloc=node).geturl()
    route.fulfill(response=route.fetch(url=at_node, headers=headers, max_redirects=0, timeout=TIMEOUT_MS))


def main() -> None:
    task = BrowserTask(**json.loads(sys.stdin.readline()))
    expect.set_options(timeout=TIMEOUT_MS)
    with browsing(task) as browser:
        try:
            {"write": write, "read": read}[sys.argv[1]](browser, task)
        except (Error, AssertionError) as error:
            shown = [f"{page.url} shows: {page.inner_text('body')}" for page in browser.contexts[-1].pages]
            raise RuntimeError(" ".join(f"{error} {' '.join(shown)}".split())[:600]) from error


if __name__ == "__main__":
    main()
