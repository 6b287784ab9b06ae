#!/bin/bash
# site-maintenance begin | finish. begin: if an upgrade or a reboot waits, takes the site's lock, waits until the other
# nodes are whole, leaves the balancer, upgrades and reboots. finish, after the reboot: waits until this node is whole,
# and frees the lock. A node that fails before its upgrade frees the lock; one that fails later keeps it until its next
# turn.
set -euo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

lib=/usr/local/lib/ha-wordpress
mount=/run/ha-wordpress/maintenance
# components/roll/check.sh reports it to `pulumi up`
flag=/run/ha-wordpress-maintenance
# there from before the upgrade until the node is whole
state=/var/lib/ha-wordpress/maintenance

# lock take|free: prints the node that has the lock afterwards.
lock() {
    timeout --kill-after=10 60 "$lib/site-maintenance-lock" "$1" @NODE@ "$mount"
}

# mount_volume: mounts the volume where only root gets, beside the mount of the site's files, if there is one.
mount_volume() {
    local servers=(@SERVERS@) others
    others=$(printf ':%s' "${servers[@]:1}")
    install --directory --mode=700 "$mount"
    timeout --kill-after=10 60 mount -t glusterfs -o "backup-volfile-servers=${others#:}" \
        "${servers[0]}:/@VOLUME@" "$mount"
}

# lacks URLS: prints what is not whole, one line each: of these addresses, and of the volume if this node has a brick.
lacks() {
    env URLS="$1" VOLUME=@BRICK_VOLUME@ HEALED=yes RETURNED= IN_SERVICE= MAINTENANCE=yes \
        timeout --kill-after=10 240 "$lib/site-maintenance-check" || echo "the check failed: the state is unknown"
}

# whole_for DURATION URLS: whether nothing has been lacking for that many seconds; sets lacking, and logs what it is.
whole_for() {
    local begun=$SECONDS before=$lacking
    while lacking=$(lacks "$2") && [ -z "$lacking" ]; do
        [ $((SECONDS - begun)) -lt "$1" ] || return 0
        sleep 1
    done
    [ "$lacking" = "$before" ] || printf 'waiting: %s\n' "$lacking"
    sleep 1
    return 1
}

# glusterfs_packages: prints the installed packages of GlusterFS, which unattended-upgrade leaves out.
glusterfs_packages() {
    # shellcheck disable=SC2016 # the variables are dpkg's
    dpkg-query --show --showformat '${db:Status-Status} ${source:Package} ${Package}\n' |
        awk '$1 == "installed" && $2 == "glusterfs" { print $3 }'
}

# upgrade_glusterfs [OPTION]: upgrades them, with the files in /etc as they are.
upgrade_glusterfs() {
    local packages
    mapfile -t packages < <(glusterfs_packages)
    timeout --kill-after=60 900 apt-get install "$@" --quiet=2 --yes --only-upgrade --no-install-recommends \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
        "${packages[@]}"
}

# waits: whether a reboot or an upgrade waits.
waits() {
    [ ! -e /run/reboot-required ] || return 0
    upgrade_glusterfs --simulate | grep '^Inst ' >/dev/null ||
        timeout --kill-after=60 900 unattended-upgrade --dry-run --verbose |
        grep '^Packages that will be upgraded: .' >/dev/null
}

has_lock() {
    holder=$(lock take) && [ "$holder" = @NODE@ ] && return
    sleep 5
    return 1
}

put_back() {
    rm -f "$flag" /run/ha-wordpress-drained
}
give_up() {
    put_back
    lock free >/dev/null
}

others_are_whole() {
    wait_until "$1" whole_for 0 @OTHER_URLS@ || fail "The site needs this node. Nothing was touched:" "$lacking"
}

begin() {
    local lacking='' holder=''
    [ ! -e "$state" ] || finish
    # without an answer from the archive, the lists of the last time decide
    timeout --kill-after=10 600 apt-get update --quiet=2 || true
    if ! waits; then
        # a machine that this one has replaced may have it
        lock free >/dev/null
        return
    fi
    wait_until @LOCK_LIMIT@ has_lock ||
        fail "${holder:-No node} has the lock of the site's maintenance. Nothing was touched."
    trap give_up EXIT
    : >"$flag"
    others_are_whole @GATE_LIMIT@
    LOG=@ACCESS_LOG@ SECONDS_NOTICED=@NOTICED@ "$lib/site-maintenance-drain"
    others_are_whole 0

    mkdir -p "${state%/*}"
    : >"$state"
    trap put_back EXIT
    timeout --kill-after=60 1800 unattended-upgrade
    upgrade_glusterfs >/dev/null
    trap - EXIT
    systemctl reboot
}

finish() {
    local lacking=''
    wait_until @RETURN_LIMIT@ whole_for @NOTICED@ @OWN_URLS@ ||
        fail "This node is not whole after its maintenance. It keeps the lock, so that no other node begins:" "$lacking"
    lock free >/dev/null
    rm "$state"
}

wait_until 300 mount_volume || fail "The volume cannot be mounted at $mount. Nothing was touched."
"$1"
