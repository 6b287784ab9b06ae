#!/bin/sh
# POSIX. Makes the names under /dev/disk that udev gives to the disks of a rented machine.
set -eu
mkdir -p /dev/disk/by-id /dev/disk/by-uuid
while read -r device by_id; do
    [ -z "$by_id" ] || ln -sf "/dev/$device" "/dev/disk/by-id/$by_id"
    uuid=$(blkid -p -o value -s UUID "/dev/$device" || true)
    [ -z "$uuid" ] || ln -sf "/dev/$device" "/dev/disk/by-uuid/$uuid"
done </etc/rehearsal-disks
