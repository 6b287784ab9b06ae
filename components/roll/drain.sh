#!/bin/bash
# Lets the balancers send visitors to the other nodes: the health check answers 503 from now on, until the node is put
# back into service or reboots, or for an hour if the update is killed. Waits until SECONDS_NOTICED have passed and no
# more visitors' requests reach LOG, but at most a minute.
set -euo pipefail

[ -e /run/ha-wordpress-drained ] || : >/run/ha-wordpress-drained
timer=ha-wordpress-undrain.timer
systemctl stop "$timer" 2>/dev/null || true
systemd-run --quiet --collect --unit="${timer%.timer}" --on-active=1h rm -f /run/ha-wordpress-drained

# older_than SECONDS FILE: whether the file was last written at least that long ago.
older_than() {
    [ $(($(date +%s) - $(stat --format=%Y "$2"))) -ge "$1" ]
}
drained() {
    older_than "$SECONDS_NOTICED" /run/ha-wordpress-drained && { [ ! -e "$LOG" ] || older_than 3 "$LOG"; }
}
wait_until 60 drained || echo "visitors' requests still reach this node"
