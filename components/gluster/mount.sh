#!/bin/bash
# Mounts SOURCE at MOUNTPOINT, now and at every boot, by the systemd unit UNIT; BACKUPS: further servers, colon between.
# OPTIONS: further ones of the mount, comma between, or none.
set -euo pipefail

line="$SOURCE $MOUNTPOINT glusterfs defaults,_netdev,noauto,fetch-attempts=3,backup-volfile-servers=$BACKUPS${OPTIONS:+,$OPTIONS} 0 0"
if ! grep -qxF "$line" /etc/fstab; then
    # nothing can be written under the mount while the volume is away
    mkdir -p "$MOUNTPOINT"
    mountpoint --quiet "$MOUNTPOINT" || chattr +i "$MOUNTPOINT"
    next=$(mktemp /etc/fstab.XXXXXX)
    awk -v mount="$MOUNTPOINT" '$2 != mount' /etc/fstab >"$next"
    echo "$line" >>"$next"
    chmod 644 "$next"
    mv "$next" /etc/fstab
fi

printf '%s' "$UNIT" >/etc/systemd/system/gluster-mount@.service
systemctl daemon-reload
service=$(systemd-escape --path --template=gluster-mount@.service "$MOUNTPOINT")
systemctl enable --quiet "$service"
# not restarted for a changed line: it holds for the next mount, and this one goes on; not waited for, as the unit tries
# again where the first attempt fails
systemctl start --no-block "$service"

# asked of the volume itself, in one call: a client that finds no brick is mounted for a moment too
answers() {
    timeout -s KILL 5 stat --file-system --format %T "$MOUNTPOINT" 2>/dev/null || true
}

end=$((SECONDS + 30))
until [ "$(answers)" = fuseblk ] &&
    [ "$(findmnt --noheadings --output FSTYPE --mountpoint "$MOUNTPOINT")" = fuse.glusterfs ]; do
    if [ "$SECONDS" -ge "$end" ]; then
        echo "$MOUNTPOINT is not a GlusterFS mount:" >&2
        tail -n 20 "/var/log/glusterfs/$(systemd-escape --path "$MOUNTPOINT").log" >&2
        exit 1
    fi
    sleep 0.2
done
