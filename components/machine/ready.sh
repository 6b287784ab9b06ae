#!/bin/bash
# Waits until cloud-init has come to its end, and fails with its own words if it met an error.
set -euo pipefail

if ! timeout 840 cloud-init status --wait >/dev/null; then
    echo "cloud-init did not finish well on this machine:" >&2
    cloud-init status --long >&2
    grep -hE 'ERROR|CRITICAL|Traceback|^E: ' /var/log/cloud-init.log /var/log/cloud-init-output.log | tail -n 20 >&2
    echo "Once the cause is gone, replace the machine: pulumi up --target-replace <its URN>" >&2
    exit 1
fi
