"""Reads or writes files below a directory again and again, and prints each attempt. Runs on a machine.

Usage: python3 -c SCRIPT read|write DIRECTORY NAME. Each line of standard output is one attempt, in JSON:
[start, seconds, number or null, error or null]. A number is that of an acknowledged write: its file was flushed to
disk. The program ends when its standard input closes, after about five minutes at the latest.
"""

import json
import os
import sys
import threading
import time

kind, directory, name = sys.argv[1:]
# one directory for each client: the self-heal daemon walks a directory entry by entry, but several in parallel
directory = f"{directory}/{name}"
# seconds between attempts; a file that is written while a brick is down takes a tenth of a second to heal
PERIOD = {"read": 0.1, "write": 0.2}[kind]
ATTEMPTS = round(300 / PERIOD)


def content(number: int) -> bytes:
    return f"{name} {number}\n".encode() * (1 + number % 64)


def write(number: int) -> None:
    with open(f"{directory}/{number}", "wb") as file:
        file.write(content(number))
        file.flush()
        os.fsync(file.fileno())


def read(number: int) -> None:
    with open(f"{directory}/{number % 50}", "rb") as file:
        if file.read() != content(number % 50):
            raise OSError(f"{file.name} has the wrong content")


def end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


os.makedirs(directory, exist_ok=True)
threading.Thread(target=end_with_input, daemon=True).start()
if kind == "read":
    for number in range(50):
        write(number)
attempt = {"read": read, "write": write}[kind]
for number in range(ATTEMPTS):
    start, error = time.time(), None
    try:
        attempt(number)
    except OSError as failure:
        error = str(failure)
    acknowledged = number if kind == "write" and error is None else None
    print(json.dumps([start, time.time() - start, acknowledged, error]), flush=True)
    time.sleep(PERIOD)
