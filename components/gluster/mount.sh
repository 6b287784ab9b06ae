#!/bin/bash
# Mounts SOURCE at MOUNTPOINT, now and at every boot. UNIT: text of the systemd unit that does so. BACKUPS: further
# servers, separated by colons. OPTIONS: further mount options, separated by commas; may be empty.
set -euo pipefail

retry_connections_soon

set_fstab_line "$MOUNTPOINT" "$SOURCE $MOUNTPOINT glusterfs \
defaults,_netdev,noauto,fetch-attempts=3,backup-volfile-servers=$BACKUPS${OPTIONS:+,$OPTIONS} 0 0"

write_if_changed /etc/systemd/system/gluster-mount@.service 644 "$UNIT"
systemctl daemon-reload
service=$(systemd-escape --path --template=gluster-mount@.service "$MOUNTPOINT")
systemctl enable --quiet "$service"
# The unit is not restarted for a changed line: the current mount stays, and the line applies from the next mount on.
# --no-block, because the unit retries if the first attempt fails.
systemctl start --no-block "$service"

# serves: whether the volume itself answers; a client that finds no brick is mounted for a moment too. 65735546 is the
# type of FUSE (statfs(2)), whose name differs between versions of stat(1).
serves() {
    [ "$(timeout -s KILL 5 stat --file-system --format %t "$MOUNTPOINT" 2>/dev/null)" = 65735546 ] &&
        is_glusterfs_mount "$MOUNTPOINT"
}
wait_until 30 serves || fail "$MOUNTPOINT is not a GlusterFS mount; the client's log ends with:" \
    "$(tail -n 20 "/var/log/glusterfs/$(systemd-escape --path "$MOUNTPOINT").log" 2>&1)"
