"""Legitimate clients of a site under flood: they read the first page and log in now and then."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode, urlsplit

from rehearsal.drills.flood.addresses import LEGITIMATE
from rehearsal.drills.site import Site
from rehearsal.probes.visitors import PageProbe

PERIOD = 1.0
"""Seconds between the requests of one client."""
LOGIN_EVERY = 90
"""Requests of one client from one login to the next: at most two logins in 120 s, where 20 hits lead to a ban."""

UNCACHED_COOKIE = "wordpress_logged_in_rehearsal=nobody"
"""Varnish passes every request with a cookie of this name to WordPress, which ignores the invalid value."""

LOGIN = """
jar=$(mktemp)
trap 'rm "$jar"' EXIT
fetch() {
    curl --silent --max-time 30 --output /dev/null --cookie "$jar" --cookie-jar "$jar" --header "Host: $host" "$@"
}
host=$1
fetch --data @- http://127.0.0.1/wp-login.php
fetch http://127.0.0.1/
"""


def log_in_everywhere(site: Site) -> None:
    """Log in once on every web node, so that PHP has compiled the code of a login, as on any site in use."""
    form = urlencode({"log": site.outputs["admin_user"], "pwd": site.outputs["admin_password"]})

    def log_in(node: str) -> None:
        site.on(node, "bash", "-euc", LOGIN, "bash", urlsplit(site.url).netloc, stdin=form)

    with ThreadPoolExecutor() as pool:
        list(pool.map(log_in, site.roles.web))


class LegitimateClient(PageProbe):
    """Reads the site's first page; every `LOGIN_EVERY` requests, it logs in and reads the page as that user.

    `number`: from 1; clients log in at different times. `source`: its address. `page`: a text of the first page.
    """

    def __init__(self, number: int, source: str, site: Site, page: str) -> None:
        self._login = f"{site.url}/wp-login.php"
        self._form = {"log": site.outputs["admin_user"], "pwd": site.outputs["admin_password"]}
        self._turns = itertools.count(2 + number * LOGIN_EVERY // len(LEGITIMATE))
        super().__init__(f"visitor {number}", site.url, page, period=PERIOD, source=source)

    def load(self) -> str | None:
        turn = next(self._turns) % LOGIN_EVERY
        if turn == 0:
            return self._log_in()
        if turn == 1:
            return self._read_as_user()
        return super().load()

    def _log_in(self) -> str | None:
        answer = self._browser.post(self._login, data=self._form, follow_redirects=False)
        logged_in = any(name.startswith("wordpress_logged_in_") for name in self._browser.cookies)
        return None if logged_in else f"login refused: status {answer.status_code}"

    def _read_as_user(self) -> str | None:
        try:
            answer = self._browser.get(self._url)
        finally:
            # with cookies left after a timeout, the client would bypass the cache for the rest of the flood
            self._browser.cookies.clear()
        return None if 'id="wpadminbar"' in answer.text else f"logged out: status {answer.status_code}"
