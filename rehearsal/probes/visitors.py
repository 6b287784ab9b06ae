"""Visitors of the site: one kind loads a page, the other one has a session."""

from __future__ import annotations

import itertools
import threading
import time

import httpx

from rehearsal.probes.base import Attempt, Probe

PAGE_TIMEOUT = 3.0
"""Seconds after which a visitor gives up on a page and tries again."""
PAGE_PERIOD = 0.2
"""Seconds between two pages of a visitor: long enough that several visitors do not cause the load they measure."""
SESSION_PERIOD = 0.4
"""Seconds between two requests of a visitor with a session; a drill starts more of these visitors."""


class Visitor(Probe):
    """A browser that loads something from the site again and again, each time over a new connection.

    `period`: seconds between an answer and the next request. `source`: the client address; None: the host's own.
    """

    def __init__(self, name: str, period: float = PAGE_PERIOD, source: str | None = None) -> None:
        super().__init__("page", name)
        self._period = period
        transport = httpx.HTTPTransport(limits=httpx.Limits(max_keepalive_connections=0), local_address=source)
        self._browser = httpx.Client(transport=transport, timeout=PAGE_TIMEOUT, follow_redirects=True)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._visit, daemon=True)
        self._thread.start()

    def load(self) -> str | None:
        """Make one request; returns the error in the answer, or None. Raises `httpx.HTTPError` without an answer."""
        raise NotImplementedError

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _visit(self) -> None:
        while not self._stopped.wait(self._period):
            start = time.time()
            try:
                error = self.load()
            except httpx.HTTPError as failure:
                error = type(failure).__name__
            self.attempts.append(Attempt(start, time.time() - start, error))


class PageProbe(Visitor):
    """Loads one page. `expected`: a text that every correct answer contains. `cookie`: the Cookie header to send."""

    def __init__(
        self, name: str, url: str, expected: str,
        *, period: float = PAGE_PERIOD, source: str | None = None, cookie: str = "",
    ) -> None:  # fmt: skip
        self._url, self._expected = url, expected
        self._headers = {"Cookie": cookie} if cookie else {}
        super().__init__(name, period, source)

    def load(self) -> str | None:
        answer = self._browser.get(self._url, headers=self._headers)
        if answer.status_code != 200:
            return f"status {answer.status_code}"
        return None if self._expected in answer.text else "not the expected page"


class SessionProbe(Visitor):
    """Uses a session of tests/sessions-app: logs in once, then counts its visits and adds items to its cart.

    Every answer must contain all that the site acknowledged before. `lost_visits`: visits missing from the counter.
    `lost_sessions`: answers with another session, another user or no user, or with an item missing from the cart.
    """

    def __init__(self, name: str, url: str) -> None:
        self._url = url
        self._loads = itertools.count()
        self._session: str | None = None
        self._cart: list[str] = []
        self.visits = self.lost_visits = self.lost_sessions = 0
        super().__init__(name, SESSION_PERIOD)

    def load(self) -> str | None:
        if self._session is None:
            return self._log_in()
        number = next(self._loads)
        return self._count() if number % 5 else self._fill_cart(f"item {number}")

    def verify_session(self) -> str | None:
        """Check once more, after the last attempt, for all that was acknowledged; returns the first error, or None."""
        return self._check_user() or self._fill_cart("the last item") or self._count()

    def _log_in(self) -> str | None:
        answer = self._browser.post(f"{self._url}/login.php", data={"user": self.name})
        if answer.status_code == 200:
            self._session = answer.json()["session"]
        return self._user_error(answer)

    def _check_user(self) -> str | None:
        return self._user_error(self._browser.get(f"{self._url}/login.php"))

    def _count(self) -> str | None:
        answer = self._browser.get(self._url)
        if error := self._session_error(answer):
            return error
        before, self.visits = self.visits, answer.json()["counter"]
        if self.visits <= before:
            self.lost_visits += before + 1 - self.visits
            return f"visit {self.visits} follows visit {before}"
        self.acknowledged.append(self.visits)
        return None

    def _fill_cart(self, item: str) -> str | None:
        answer = self._browser.post(f"{self._url}/cart.php", data={"item": item})
        if error := self._session_error(answer):
            return error
        missing = [item for item in self._cart if item not in answer.json()["cart"]]
        self._cart = [item for item in self._cart if item not in missing] + [item]
        if missing:
            self.lost_sessions += 1
            return f"missing from the cart: {', '.join(missing)}"
        return None

    def _user_error(self, answer: httpx.Response) -> str | None:
        """The error in an answer of the login page: its status, or a user other than this visitor."""
        if answer.status_code != 200:
            return f"status {answer.status_code}"
        user = answer.json()["user"]
        if user != self.name:
            self.lost_sessions += 1
            return f"logged in as {user}" if user else "logged out"
        return None

    def _session_error(self, answer: httpx.Response) -> str | None:
        """The error in an answer: its status, or another session, which the visitor uses from then on."""
        if answer.status_code != 200:
            return f"status {answer.status_code}"
        before, self._session = self._session, answer.json()["session"]
        if self._session != before:
            self.lost_sessions += 1
            return "another session"
        return None
