#!/bin/sh
# POSIX. The hook of build.sh's mmdebstrap, with the new tree as $1, before mmdebstrap cleans up behind itself.
set -eu
nodes=$1 directory=${1%/*}
export DEBIAN_FRONTEND=noninteractive

cp "$nodes"/var/lib/apt/lists/*InRelease "$nodes/etc/apt/sources.list" "$directory/archive"
# systemd-resolved has put a link there that leads nowhere before it runs
cp --remove-destination /etc/resolv.conf "$nodes/etc/resolv.conf"

echo "I: installing what cloud-init installs..." >&2
# in one call and in the order of the parts, as cloud-init does: alternatives are met by what is named before
# shellcheck disable=SC2086 # a list of words
chroot "$nodes" apt-get install -qq --no-install-recommends $PACKAGES >/dev/null

echo "I: installing the cloud's own services above it..." >&2
both=$directory/both
mount -t overlay overlay -o "lowerdir=$nodes,upperdir=$directory/services,workdir=$directory/work" "$both"
mount -t proc proc "$both/proc"
mount --rbind /dev "$both/dev"
# shellcheck disable=SC2086 # a list of words
chroot "$both" apt-get install -qq --no-install-recommends $SERVICES >/dev/null
chroot "$both" apt-get clean
rm -r "$both/var/lib/mysql"
umount --recursive "$both"

cp -RT --remove-destination "$FILES" "$nodes"
# as in Debian's cloud images
chroot "$nodes" systemctl --quiet enable systemd-networkd.service systemd-resolved.service
ln -sf /run/systemd/resolve/resolv.conf "$nodes/etc/resolv.conf"
# every machine makes or is given its own
rm -f "$nodes"/etc/ssh/ssh_host_*
rm -f "$nodes/etc/apt/apt.conf.d/99mmdebstrap" "$nodes/etc/dpkg/dpkg.cfg.d/99mmdebstrap"
