"""A browser at one place of the network, which an author writes a post with, or a reader looks for it on every node.

Standard input: one line of JSON, a `BrowserTask`. An exception names what did not happen and what the page showed.

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
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import Browser, Error, expect, sync_playwright

PATIENCE_MS = 60_000
"""The editor is some 200 files, none of them in a cache, and everything here shares two processors."""
LISTENING = "DevTools listening on "


@dataclass(frozen=True)
class BrowserTask:
    """`chromium`: the words that run Debian's Chromium here. `nodes`: addresses of those that a reader asks."""

    chromium: list[str]
    url: str
    nodes: list[str]
    user: str
    password: str
    title: str
    text: str


@contextmanager
def browsing(task: BrowserTask) -> Iterator[Browser]:
    """A browser that asks nobody but the site."""
    host = urlsplit(task.url).hostname or ""
    chromium = subprocess.Popen(
        [
            *task.chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-sync",
            "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
            "--no-first-run", "--ignore-certificate-errors", "--remote-debugging-port=0",
            f"--host-resolver-rules=MAP {host} {socket.gethostbyname(host)}",
        ],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert chromium.stderr
        output = []
        for line in chromium.stderr:
            output.append(line)
            if line.startswith(LISTENING):
                break
        else:
            raise RuntimeError(f"Chromium did not start: {''.join(output)[-2000:]}")
        with sync_playwright() as playwright:
            yield playwright.chromium.connect_over_cdp(output[-1].removeprefix(LISTENING).strip())
    finally:
        chromium.kill()
        chromium.wait()


def write(browser: Browser, task: BrowserTask) -> None:
    """Log in, write a post in WordPress's editor, and publish it."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    editor = f"{task.url}/wp-admin/post-new.php"
    page.goto(f"{task.url}/wp-login.php?{urlencode({'redirect_to': editor})}", wait_until="domcontentloaded")
    page.fill("#user_login", task.user)
    page.fill("#user_pass", task.password)
    page.click("#wp-submit")
    # the editor's tour, for whoever is here for the first time
    page.get_by_role("button", name="Close dialog").click()
    # in one piece, as the tour, when it goes, may take the focus of whoever types already
    title = page.get_by_role("textbox", name="Add title")
    title.fill(task.title)
    title.press("Enter")
    page.keyboard.insert_text(task.text)
    expect(title).to_have_text(task.title)
    expect(page.get_by_text(task.text)).to_be_visible()
    page.get_by_role("button", name="Publish", exact=True).click()
    page.get_by_label("Editor publish").get_by_role("button", name="Publish", exact=True).click()
    expect(page.locator(".post-publish-panel__postpublish-header a")).to_be_visible()


def read(browser: Browser, task: BrowserTask) -> None:
    """Find the post on the site's first page, and read it, on each node, which is asked as a proxy is."""
    pages = [browser.new_page(proxy={"server": f"http://{node}:80"}) for node in task.nodes]
    for page in pages:
        page.set_default_timeout(PATIENCE_MS)
        page.goto(task.url, wait_until="commit")
    for page in pages:
        page.get_by_role("link", name=task.title).first.click(no_wait_after=True)
    for page in pages:
        expect(page.get_by_text(task.text)).to_be_visible()


def main() -> None:
    task = BrowserTask(**json.loads(sys.stdin.readline()))
    expect.set_options(timeout=PATIENCE_MS)
    with browsing(task) as browser:
        try:
            {"write": write, "read": read}[sys.argv[1]](browser, task)
        except (Error, AssertionError) as error:
            shown = [f"{page.url} shows: {page.inner_text('body')}" for page in browser.contexts[-1].pages]
            raise RuntimeError(" ".join(f"{error} {' '.join(shown)}".split())[:600]) from error


if __name__ == "__main__":
    main()
