"""Take the picture of a report's page for the documentation: its figures, and one fault with its timeline and checks.

Usage: python tools/report_picture.py REPORT_HTML PICTURE_PNG
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTH, SCALE = 1000, 1.5
"""The width of the page in CSS pixels, and pixels of the picture for each of them."""

SHOW_ONE_FAULT = """() => {
    const faults = [...document.querySelectorAll('.fault')];
    const shown = faults.find(fault => fault.innerText.includes('write outage')) ?? faults[0];
    for (const section of document.querySelectorAll('main > section, .fault, footer'))
        section.hidden = section !== shown && !section.contains(shown) && !section.matches('.failures');
    document.body.style.paddingBottom = '1.5rem';
}"""
"""Hide all sections but the failed checks and the first fault that stopped writes."""


def main() -> None:
    """Write the picture; exits with a message when a file or the browser is missing."""
    if len(sys.argv) != 3:
        sys.exit(str(__doc__))
    report, picture = map(Path, sys.argv[1:])
    if not report.is_file():
        sys.exit(f"{report} does not exist: run `rehearse drill STACK` for its stack first")
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is not on PATH: install it, on Debian by `apt-get install chromium`")
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=chromium, args=options) as browser:
        page = browser.new_page(
            viewport={"width": WIDTH, "height": 800}, device_scale_factor=SCALE, color_scheme="light"
        )
        page.goto(report.resolve().as_uri())
        page.evaluate(SHOW_ONE_FAULT)
        page.screenshot(path=picture, full_page=True)


if __name__ == "__main__":
    main()
