#!/bin/bash
# Runs glusterd with bricks on ports BASE_PORT to MAX_PORT.
set -euo pipefail

# Geo-replication's program gsyncd is in Python. Each start of glusterd calls it many times, and each `gluster` command
# once: glusterd starts in 1.4 s, and in 0.1 s without it. A package's update keeps it away. It stays where it is in use.
gsyncd=/usr/lib/$(uname -m)-linux-gnu/glusterfs/gsyncd
if [ -e "$gsyncd" ] && [ -z "$(find /var/lib/glusterd/geo-replication -mindepth 1 -type d 2>/dev/null)" ]; then
    dpkg-divert --quiet --local --rename --divert "$gsyncd.unused" --add "$gsyncd"
fi

volfile=/etc/glusterfs/glusterd.vol
before=$(cat "$volfile")
text=$(sed -E \
    -e '/^[# ]*option (base|max)-port /d' \
    -e "s/^end-volume/    option base-port $BASE_PORT\n    option max-port $MAX_PORT\n&/" <<<"$before")
if [ "$text" != "$before" ]; then
    # a restart of glusterd stops every brick of the node: Debian's unit has KillMode=control-group
    ! pgrep -x glusterfsd >/dev/null || fail "Bricks run on this node, so their ports were not changed." \
        "On one node at a time: stop glusterd, set base-port $BASE_PORT and max-port $MAX_PORT in $volfile," \
        "start glusterd, and wait until the volume is healed."
    # first, so that a run after one that was killed here starts it with the new file
    systemctl stop glusterd
    write_if_changed "$volfile" 644 "$text"$'\n'
fi

# At boot glusterd exits if the node has no address yet, and Debian's unit does not restart it.
write_if_changed /etc/systemd/system/glusterd.service.d/retry.conf 644 '[Unit]
StartLimitIntervalSec=0

[Service]
Restart=on-failure
RestartSec=1
'
systemctl daemon-reload
enable_units glusterd
retry_connections_soon
systemctl start glusterd
wait_until 60 gluster --mode=script pool list >/dev/null 2>&1 ||
    fail_with_journal "glusterd does not answer on this machine:" glusterd
