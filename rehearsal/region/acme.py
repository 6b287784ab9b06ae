"""Stand-in for a certificate authority that speaks ACME, such as Let's Encrypt: Pebble, its authors' server for tests.

Pebble validates a domain as they do, over the region's network. It makes a root certificate of its own at each start.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from urllib.parse import urlsplit

from rehearsal.region.endpoint import Endpoint
from rehearsal.region.network import RESOLVER
from rehearsal.region.service import Service
from rehearsal.region.service_context import ServiceContext
from rehearsal.system.shell import ToolError, run

TEMPLATE = Path(__file__).parent / "acme.cfg"
START_LIMIT = 30
"""Seconds until Pebble answers."""
HTTP_PORT, HTTPS_PORT = 80, 443
"""TCP ports at which it validates a domain."""
VALIDITY = 90 * 24 * 3600
"""Seconds for which a certificate is valid, as those of Let's Encrypt are."""


class AcmeServer:
    """Pebble behind an HAProxy that shows a certificate of the region's authority.

    `root`: the certificate that it derives all others from, as PEM text.
    """

    def __init__(self, directory: str, endpoint: Endpoint, context: ServiceContext) -> None:
        """Start it, and wait until it answers. Raises `ToolError` when it does not.

        `directory`: address of the directory of the authority in whose place it is.
        """
        url = urlsplit(directory)
        assert url.hostname
        home = f"/var/lib/rehearsal/{endpoint.name}"
        files = context.root.path / home[1:]
        files.mkdir(parents=True)
        issued = context.ca.issue(url.hostname)
        (files / "certificate.pem").write_text(issued.certificate)
        (files / "key.pem").write_text(issued.key)
        (files / "both.pem").write_text(issued.certificate + issued.key)
        (files / "haproxy.cfg").write_text(TEMPLATE.read_text().format(home=home, path=url.path))
        (files / "pebble.json").write_text(json.dumps({"pebble": settings(home)}))
        context.network.plug(endpoint, configured=True)
        self._prefix = context.root.exec_prefix(endpoint.namespace)
        pebble = ["pebble", "-config", f"{home}/pebble.json", "-dnsserver", f"{RESOLVER}:53"]
        log = context.logs / f"{endpoint.name}.log"
        self._services = [
            # otherwise it waits up to 15 s before it validates, and leaves out half of the later validations
            Service([*self._prefix, "env", "PEBBLE_VA_NOSLEEP=1", "PEBBLE_AUTHZREUSE=0", *pebble], log),
            Service([*self._prefix, "haproxy", "-f", f"{home}/haproxy.cfg"], log),
        ]
        self._wait(f"https://127.0.0.1{url.path}")
        self.root = self._get("https://127.0.0.1:15000/roots/0")
        context.dns.set(url.hostname, endpoint.address)

    def _wait(self, url: str) -> None:
        end = time.monotonic() + START_LIMIT
        while True:
            for service in self._services:
                service.check()
            try:
                self._get(url)
                return
            except ToolError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def _get(self, url: str) -> str:
        return run(*self._prefix, "curl", "--silent", "--show-error", "--fail", "--insecure", url)


def settings(home: str) -> dict[str, object]:
    """Pebble's settings. `home`: the directory of its own certificate."""
    return {
        "listenAddress": "127.0.0.1:14000",
        "managementListenAddress": "127.0.0.1:15000",
        "certificate": f"{home}/certificate.pem",
        "privateKey": f"{home}/key.pem",
        "httpPort": HTTP_PORT,
        "tlsPort": HTTPS_PORT,
        "certificateValidityPeriod": VALIDITY,
    }
