#!/usr/bin/python3 -IS
"""Takes or frees the site's lock for maintenance, and prints the node that then has it; nothing if none has it.

Usage: site-maintenance-lock take|free NODE MOUNT   (the node's name; a mount of the volume)

The lock is an extended attribute of the volume's root directory, in the namespace of root.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys

NAME = "trusted.ha-wordpress.maintenance"


def holder(mount: str) -> str:
    """The node that has the lock; empty if none has it."""
    try:
        return os.getxattr(mount, NAME).decode()
    except OSError as error:
        if error.errno == errno.ENODATA:
            return ""
        raise


def main(action: str, node: str, mount: str) -> None:
    if action == "take":
        with contextlib.suppress(FileExistsError):
            os.setxattr(mount, NAME, node.encode(), os.XATTR_CREATE)
    elif holder(mount) == node:
        os.removexattr(mount, NAME)
    print(holder(mount))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
