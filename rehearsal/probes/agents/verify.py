"""Says which acknowledged files are not there, byte for byte. Runs on a machine by itself.

Usage: python3 -c SCRIPT DIRECTORY, with {"writer": [numbers]} in JSON on standard input; prints the lost ones alike.
"""

import json
import sys

directory = sys.argv[1]
lost: dict[str, list[int]] = {}
for name, numbers in json.load(sys.stdin).items():
    for number in numbers:
        try:
            with open(f"{directory}/{name}/{number}", "rb") as file:
                whole = file.read() == f"{name} {number}\n".encode() * (1 + number % 64)
        except OSError:
            whole = False
        if not whole:
            lost.setdefault(name, []).append(number)
print(json.dumps(lost))
