"""A list of a running rehearsal's machines, or a shell on one of them.

Usage: python -m rehearsal.session.enter DIRECTORY [NODE]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rehearsal.region.control_socket import connect


def main() -> None:
    """List the machines; with a node, replace this process by a root shell on it."""
    control = connect(Path(sys.argv[1]))
    machines = control.machines()
    if len(sys.argv) == 2:
        for name, running in sorted(machines.items()):
            print(f"  {name}: {'running' if running else 'off'} {control.address(name)}")
        return
    node = sys.argv[2]
    if not machines.get(node):
        known = ", ".join(sorted(name for name, running in machines.items() if running))
        sys.exit(f"no running node is named {node}; running nodes: {known or 'none'}")
    command = [*control.exec_prefix(node), "bash", "--login"]
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
