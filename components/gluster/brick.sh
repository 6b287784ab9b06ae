#!/bin/bash
# Makes BRICK, a directory below BRICK_MOUNT, where the disk DISK is mounted with XFS.
# Only a disk without any signature is formatted; one with our label is used as it is.
set -euo pipefail

label=glusterbrick

end=$((SECONDS + 90))
until [ -b "$DISK" ]; do
    if [ "$SECONDS" -ge "$end" ]; then
        echo "The data disk $DISK did not appear on this machine." >&2
        exit 1
    fi
    sleep 0.2
done

signatures=$(wipefs --noheadings --output TYPE,LABEL "$DISK")
case $signatures in
    '') mkfs.xfs -q -i size=512 -L "$label" "$DISK" ;;
    xfs*"$label") ;;
    *)
        echo "$DISK is not empty, and not a brick of ours: it holds $signatures." >&2
        echo "Nothing was changed. If nobody needs it, erase it by hand: wipefs --all $DISK" >&2
        exit 1
        ;;
esac

uuid=$(blkid --probe --match-tag UUID --output value "$DISK")
# nofail: a node whose disk is gone must still boot. With it, systemd no longer orders the mount before glusterd, and a
# brick that is started before its disk is there is not tried again: hence the drop-in.
line="UUID=$uuid $BRICK_MOUNT xfs inode64,noatime,nofail,x-systemd.device-timeout=10s 0 0"
if ! grep -qxF "$line" /etc/fstab; then
    # nothing can be written under the mount while the disk is away; before the line, as with it systemd may mount
    mkdir -p "$BRICK_MOUNT"
    mountpoint --quiet "$BRICK_MOUNT" || chattr +i "$BRICK_MOUNT"
    next=$(mktemp /etc/fstab.XXXXXX)
    awk -v mount="$BRICK_MOUNT" '$2 != mount' /etc/fstab >"$next"
    echo "$line" >>"$next"
    chmod 644 "$next"
    mv "$next" /etc/fstab
fi
unit=$(systemd-escape --path --suffix=mount "$BRICK_MOUNT")
mkdir -p /etc/systemd/system/glusterd.service.d
printf '[Unit]\nWants=%s\nAfter=%s\n' "$unit" "$unit" >/etc/systemd/system/glusterd.service.d/brick.conf
systemctl daemon-reload

# not by mount(8): glusterd, when it is started at this moment, makes systemd mount it too
systemctl start "$unit"
xfs_growfs "$BRICK_MOUNT" >/dev/null
mkdir -p "$BRICK"

mounted=$(findmnt --noheadings --output UUID,FSTYPE --mountpoint "$BRICK_MOUNT")
if [ "$mounted" != "$uuid xfs" ]; then
    echo "$BRICK_MOUNT holds $mounted, not $uuid xfs." >&2
    exit 1
fi
