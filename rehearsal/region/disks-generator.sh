#!/bin/sh
# POSIX. A systemd generator (systemd.generator(7)) for a machine of the rehearsal. In a container systemd ignores the
# disks in fstab and udev does not name them; a rented machine has both. So this makes a mount unit for each fstab line
# that mounts a disk by UUID, and a service that runs disk-names.sh before it: since systemd 254 a generator sees /dev
# read-only.
set -eu
units=$1
mkdir -p "$units/local-fs-pre.target.wants"
cat >"$units/rehearsal-disks.service" <<UNIT
[Unit]
DefaultDependencies=no
Before=local-fs-pre.target
[Service]
Type=oneshot
ExecStart=/usr/local/lib/rehearsal/disk-names
UNIT
ln -sf ../rehearsal-disks.service "$units/local-fs-pre.target.wants/rehearsal-disks.service"

while read -r what where type options _; do
    case $what in UUID=*) ;; *) continue ;; esac
    unit=$(systemd-escape --path --suffix=mount "$where")
    cat >"$units/$unit" <<UNIT
[Unit]
SourcePath=/etc/fstab
Before=local-fs.target
Wants=rehearsal-disks.service
After=rehearsal-disks.service
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
