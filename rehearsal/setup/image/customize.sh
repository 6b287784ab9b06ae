#!/bin/sh
# POSIX. customize.sh TREE: build.sh's hook of mmdebstrap, which runs it before it removes its own files from the new
# tree.
set -eu
nodes=$1 directory=${1%/*}
export DEBIAN_FRONTEND=noninteractive

cp "$nodes"/var/lib/apt/lists/*InRelease "$nodes/etc/apt/sources.list" "$directory/archive"
# systemd-resolved has put a link there, whose target does not exist before it runs
cp --remove-destination /etc/resolv.conf "$nodes/etc/resolv.conf"

# enabled: prints the services that are enabled in the tree.
enabled() {
    chroot "$nodes" systemctl list-unit-files --type=service --state=enabled --no-legend | cut -d' ' -f1 | sort
}
enabled >"$directory/enabled"

echo "I: installing the machines' packages..." >&2
# in one call and in the order of the parts, as cloud-init does: the packages named first decide between alternatives
# shellcheck disable=SC2086 # a list of words
chroot "$nodes" apt-get install -qq --no-install-recommends $PACKAGES >/dev/null

echo "I: disabling their services..." >&2
mkdir "$nodes/usr/local/lib/rehearsal"
enabled | comm -13 "$directory/enabled" - | while read -r unit; do
    package=$(chroot "$nodes" dpkg-query --search "*/systemd/system/$unit" | cut -d: -f1)
    echo "$package $unit"
    # not by systemctl: dpkg would count that as the operator's choice, and leave the service off
    chroot "$nodes" env DPKG_MAINTSCRIPT_PACKAGE="$package" deb-systemd-helper purge "$unit"
done | sort >"$nodes/usr/local/lib/rehearsal/services"
rm "$directory/enabled"
# Apache's page, which a machine without Apache does not have
rm -f "$nodes/var/www/html/index.html"

echo "I: installing the packages of the cloud's services in a layer above..." >&2
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
# systemd runs every generator at each daemon-reload; these find nothing to do on such a machine
mkdir -p "$nodes/etc/systemd/system-generators"
for generator in debug getty gpt-auto hibernate-resume rc-local run ssh system-update tpm2; do
    ln -s /dev/null "$nodes/etc/systemd/system-generators/systemd-$generator-generator"
done
# every machine gets its own
rm -f "$nodes"/etc/ssh/ssh_host_*
rm -f "$nodes/etc/apt/apt.conf.d/99mmdebstrap" "$nodes/etc/dpkg/dpkg.cfg.d/99mmdebstrap"
