"""Prints which acknowledged files are missing or differ from what was written. Runs on a machine, without imports.

Usage: python3 -c SCRIPT DIRECTORY. Standard input: the acknowledged writes, {"writer": [numbers]} in JSON. Standard
output: the lost writes, in the same form.
"""

import json
import sys

directory = sys.argv[1]
lost: dict[str, list[int]] = {}
for name, numbers in json.load(sys.stdin).items():
    for number in numbers:
        try:
            with open(f"{directory}/{name}/{number}", "rb") as file:
                equal = file.read() == f"{name} {number}\n".encode() * (1 + number % 64)
        except OSError:
            equal = False
        if not equal:
            lost.setdefault(name, []).append(number)
print(json.dumps(lost))
