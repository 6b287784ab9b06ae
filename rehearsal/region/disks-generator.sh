#!/bin/sh
# POSIX. A systemd generator (systemd.generator(7)) for a machine of the rehearsal. In a container systemd ignores the
# disks in fstab and udev does not name them; a rented machine has both. So this makes the names under /dev/disk, and a
# mount unit for each fstab line that mounts a disk by UUID.
set -eu
units=$1
mkdir -p /dev/disk/by-id /dev/disk/by-uuid
while read -r device by_id; do
    [ -z "$by_id" ] || ln -sf "/dev/$device" "/dev/disk/by-id/$by_id"
    uuid=$(blkid -p -o value -s UUID "/dev/$device" || true)
    [ -z "$uuid" ] || ln -sf "/dev/$device" "/dev/disk/by-uuid/$uuid"
done </etc/rehearsal-disks

while read -r what where type options _; do
    case $what in UUID=*) ;; *) continue ;; esac
    unit=$(systemd-escape --path --suffix=mount "$where")
    cat >"$units/$unit" <<UNIT
[Unit]
SourcePath=/etc/fstab
Before=local-fs.target
[Mount]
What=/dev/disk/by-uuid/${what#UUID=}
Where=$where
Type=$type
Options=$options
UNIT
    case ,$options, in *,nofail,*) wish=wants ;; *) wish=requires ;; esac
    mkdir -p "$units/local-fs.target.$wish"
    ln -sf "../$unit" "$units/local-fs.target.$wish/$unit"
done </etc/fstab
