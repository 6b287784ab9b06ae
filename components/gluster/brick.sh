#!/bin/bash
# Mounts the disk DISK with XFS at BRICK_MOUNT, where glusterd makes the brick, a directory.
# A disk is formatted only if it has no signature; one with the label of a brick is used as it is.
set -euo pipefail

label=glusterbrick

wait_until 90 test -b "$DISK" || fail "The data disk $DISK did not appear on this machine within 90 s." \
    "Check in the cloud that it is attached, and run this again."

signatures=$(wipefs --noheadings --output TYPE,LABEL "$DISK")
case $signatures in
    '') mkfs.xfs -q -i size=512 -L "$label" "$DISK" ;;
    xfs*"$label") ;;
    *)
        fail "$DISK is neither empty nor a brick of this program: it holds $signatures." \
            "Nothing was changed. If its content is not needed, erase it: wipefs --all $DISK"
        ;;
esac

uuid=$(blkid --probe --match-tag UUID --output value "$DISK")
# nofail: a node must boot without its disk too. With this option systemd does not order the mount before glusterd, and
# glusterd does not retry a brick that it started before its disk was there: the drop-in orders them.
set_fstab_line "$BRICK_MOUNT" "UUID=$uuid $BRICK_MOUNT xfs inode64,noatime,nofail,x-systemd.device-timeout=10s 0 0"
unit=$(systemd-escape --path --suffix=mount "$BRICK_MOUNT")
write_if_changed /etc/systemd/system/glusterd.service.d/brick.conf 644 "[Unit]
Wants=$unit
After=$unit
"
systemctl daemon-reload

# not by mount(8): if glusterd starts at this moment, systemd mounts it too
systemctl start "$unit"
xfs_growfs "$BRICK_MOUNT" >/dev/null

mounted=$(findmnt --noheadings --output UUID,FSTYPE --mountpoint "$BRICK_MOUNT")
[ "$mounted" = "$uuid xfs" ] || fail "$BRICK_MOUNT holds $mounted, not $uuid xfs." \
    "Unmount what is mounted there, and run this again."
