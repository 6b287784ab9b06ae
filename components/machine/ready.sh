#!/bin/bash
# Waits until cloud-init has finished; if it met an error, fails with the lines that it logged about it.
set -euo pipefail

timeout 840 cloud-init status --wait >/dev/null || fail \
    "cloud-init did not finish without an error on this machine:" \
    "$(cloud-init status --long)" \
    "$(grep -hE 'ERROR|CRITICAL|Traceback|^E: ' /var/log/cloud-init.log /var/log/cloud-init-output.log | tail -n 20)" \
    "Correct the cause, then replace the machine: pulumi up --replace <its URN>"
