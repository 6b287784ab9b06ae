#!/bin/sh
# POSIX. The hook of build.sh's mmdebstrap, with the new tree as $1, before mmdebstrap cleans up behind itself.
set -eu
nodes=$1 directory=${1%/*}

cp "$nodes"/var/lib/apt/lists/*InRelease "$nodes/etc/apt/sources.list" "$directory/archive"

echo "I: installing the cloud's own services above it..." >&2
both=$directory/both
mount -t overlay overlay -o "lowerdir=$nodes,upperdir=$directory/services,workdir=$directory/work" "$both"
mount -t proc proc "$both/proc"
mount --rbind /dev "$both/dev"
# systemd-resolved's own link leads nowhere before it runs
cp --remove-destination /etc/resolv.conf "$both/etc/resolv.conf"
# shellcheck disable=SC2086 # a list of words
DEBIAN_FRONTEND=noninteractive chroot "$both" \
  apt-get install -qq --no-install-recommends $SERVICES >/dev/null
chroot "$both" apt-get clean
rm -r "$both/var/lib/mysql" "$both/etc/resolv.conf"
umount --recursive "$both"

cp -RT "$FILES" "$nodes"
# as in Debian's cloud images
chroot "$nodes" systemctl --quiet enable systemd-networkd.service systemd-resolved.service
ln -sf /run/systemd/resolve/resolv.conf "$nodes/etc/resolv.conf"
# every machine makes or is given its own
rm -f "$nodes"/etc/ssh/ssh_host_*
rm -f "$nodes/etc/apt/apt.conf.d/99mmdebstrap" "$nodes/etc/dpkg/dpkg.cfg.d/99mmdebstrap"
