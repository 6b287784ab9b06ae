#!/bin/bash
# Runs glusterd with bricks on ports BASE_PORT to MAX_PORT.
set -euo pipefail

volfile=/etc/glusterfs/glusterd.vol
next=$(mktemp)
trap 'rm -f "$next"' EXIT
sed -E \
    -e '/^[# ]*option (base|max)-port /d' \
    -e "s/^end-volume/    option base-port $BASE_PORT\n    option max-port $MAX_PORT\n&/" \
    "$volfile" >"$next"

if ! cmp -s "$next" "$volfile"; then
    # a restart of glusterd stops every brick of the node: Debian's unit has KillMode=control-group
    if pgrep -x glusterfsd >/dev/null; then
        echo "Bricks run on this node: to change their ports, stop glusterd on one node at a time, wait for the heal," >&2
        echo "and set base-port $BASE_PORT and max-port $MAX_PORT in $volfile meanwhile." >&2
        exit 1
    fi
    cat "$next" >"$volfile"
    systemctl stop glusterd
fi

# At boot glusterd gives up when the node has no address yet, and Debian's unit then leaves it stopped.
mkdir -p /etc/systemd/system/glusterd.service.d
cat >/etc/systemd/system/glusterd.service.d/retry.conf <<'UNIT'
[Unit]
StartLimitIntervalSec=0

[Service]
Restart=on-failure
RestartSec=1
UNIT
systemctl daemon-reload
# asked first, as enabling takes a second or two where SysV scripts are compared
systemctl is-enabled --quiet glusterd || systemctl enable --quiet glusterd
systemctl start glusterd

end=$((SECONDS + 60))
until gluster --mode=script pool list >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$end" ]; then
        echo "glusterd does not answer:" >&2
        systemctl status --no-pager --lines=20 glusterd >&2
        exit 1
    fi
    sleep 0.2
done
