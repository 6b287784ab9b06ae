#!/bin/bash
# Moves SITE, the directory that Apache serves, onto the volume SOURCE (BACKUPS: further servers of it, separated by
# colons), which is then mounted at SITE; the old tree stays as SITE.orig. With FIRST=yes the volume gets this server's
# tree; otherwise the step prints which files only this server has, and which differ from the volume's. NODE: the server's
# name, under which the volume records that it serves; a new machine under a recorded name replaces the old one, and its
# own tree is neither copied nor compared. CONF: Apache's settings. COPY: the text of copy.sh. MOUNT: the text of
# mount.sh, which uses UNIT.
#
# Apache stops only while SITE changes. After an error in that time the old tree is put back and Apache started: at the
# end of this script, or, if it was killed, by the next run.
set -euo pipefail
umask 022
# shellcheck disable=SC1091 # packages.sh writes it on the machine
. /etc/ha-wordpress/os.env

orig=$SITE.orig
volume=/run/ha-wordpress/volume
# a directory for each server that serves the volume; whoever can write in the volume can make and remove it
record=.ha-wordpress/servers/$NODE
# exists while SITE changes; holds a pattern for Apache's answer afterwards
moving=/var/lib/ha-wordpress/apache-moving
# lists the files that only this server had, or that differed from the first server's
own=/var/lib/ha-wordpress/apache-own
unit=$(systemd-escape --path --template=gluster-mount@.service "$SITE")

in_fstab() {
    awk -v site="$SITE" '$2 == site && $3 == "glusterfs" { found = 1 } END { exit !found }' /etc/fstab
}

# answer PATH: prints the status of Apache's answer, and the checksum of its body.
answer() {
    local status
    status=$(curl --silent --max-time 10 --output "$work/page" --write-out '%{http_code}' "http://127.0.0.1$1") || true
    echo "$status" "$(sha256sum <"$work/page")"
}

# listing: prints a checksum of all paths under SITE, with the inode and the change time (ctime) of each.
listing() {
    find "$SITE" -printf '%P %i %C@\n' | sort | sha256sum
}

# unmount PATH: unmounts it without a check whether it is mounted, because a mount with a dead client does not answer.
unmount() {
    umount --lazy --no-canonicalize "$1" 2>/dev/null || true
}

# put_back: undoes the change of SITE and starts Apache.
put_back() {
    trap '' HUP INT TERM
    if [ -e "$orig" ]; then
        systemctl stop "$APACHE_SERVICE" || true
        # the unit does not exist yet if the step failed before the mount
        systemctl disable --quiet --now "$unit" 2>/dev/null || true
        unmount "$SITE"
        awk -v site="$SITE" '$2 != site || $3 != "glusterfs"' /etc/fstab >"$work/fstab"
        cat "$work/fstab" >/etc/fstab
        if [ -e "$SITE" ]; then
            chattr -i "$SITE"
            rmdir "$SITE"
        fi
        mv --no-target-directory "$orig" "$SITE" || return
    fi
    systemctl start "$APACHE_SERVICE" && rm "$moving"
}

clean_up() {
    local status=$?
    trap - EXIT
    if [ -e "$moving" ]; then
        echo "Putting the old $SITE back, and starting Apache." >&2
        put_back || echo "That failed: rename $orig to $SITE by hand, and start $APACHE_SERVICE." >&2
    fi
    unmount "$volume"
    rm -rf "$work"
    exit "$status"
}
work=$(mktemp --directory)
trap clean_up EXIT
trap 'exit 143' HUP INT TERM
: >"$work/page"

# An earlier run was killed: this one resumes if the volume is mounted already, and otherwise starts again.
if [ -e "$moving" ] && ! is_glusterfs_mount "$SITE"; then
    put_back
    trap 'exit 143' HUP INT TERM
fi

conf=$APACHE_CONF/ha-wordpress.conf
# shellcheck disable=SC2153 # a parameter
write_if_changed "$conf" 644 "$CONF" reload_apache
[ -z "${reload_apache-}" ] || run_or_undo apachectl configtest
apply reload_apache systemctl try-reload-or-restart "$APACHE_SERVICE"
# Apache's own start waits for the first attempt to mount, successful or not, as its logs may be on the volume
order=/etc/systemd/system/$APACHE_SERVICE.service.d/ha-wordpress.conf
unmount "$volume"
mkdir -p "$(dirname "$moving")" "$volume"
write_if_changed "$order" 644 "[Unit]
After=$unit
"
systemctl daemon-reload
if [ "$(getenforce 2>/dev/null || true)" = Enforcing ] && [[ $(getsebool httpd_use_fusefs) != *on ]]; then
    setsebool -P httpd_use_fusefs on
fi

if [ ! -e "$moving" ] && ! in_fstab; then
    [ -d "$SITE" ] && [ ! -L "$SITE" ] ||
        fail "$SITE is not a directory of this machine. Nothing was changed. Make it one, and run this again."
    [ ! -e "$orig" ] || fail "$orig exists already. Move it elsewhere, so that $SITE can take the name."
    ! mountpoint --quiet "$SITE" ||
        fail "$SITE is a file system of its own; only a directory can be moved. Nothing was changed."
    page=$(answer /)
    [[ $page != 000* ]] ||
        fail "Apache does not answer at http://127.0.0.1/ on this machine. Nothing was changed." \
            "Start it, and run this again."
    # a page that differs each time is compared by its status only
    [ "$(answer /)" = "$page" ] || page=${page%% *}
    health=$(answer /healthz)
    [[ $health =~ ^(200|403|404) ]] ||
        fail "/healthz answers ${health%% *}: the site's own settings use that path. Nothing was changed." \
            "Remove the path from them."

    mount -t glusterfs -o "fetch-attempts=3${BACKUPS:+,backup-volfile-servers=$BACKUPS}" "$SOURCE" "$volume" ||
        fail "The volume $SOURCE cannot be mounted. Nothing was changed." "See /var/log/glusterfs on this machine."

    if [ -e "$volume/.ha-wordpress/code" ] && [ -d "$volume/$record" ]; then
        FIRST=
        # a new machine's own page says nothing of the site's, which may redirect
        page='[23]??'
    elif [ "$FIRST" = yes ]; then
        for _ in 1 2 3; do
            listed=$(listing)
            differs=$(SOURCE=$SITE TARGET=$volume run_script "$COPY")
            [ "$(listing)" != "$listed" ] || break
        done
        if [ -n "$differs" ] && [ "$(listing)" = "$listed" ]; then
            fail "These differ on the volume, though nothing changes on this server: ${differs:0:500}"
        fi
        # the site's own user may own the directory
        # shellcheck disable=SC2016 # the variable is that of the confined shell
        confined "$volume" /usr sh -euc 'rm -f "$1/health"; echo ok >"$1/health"' sh "$volume/.ha-wordpress"
    else
        [ -e "$volume/.ha-wordpress/code" ] ||
            fail "The first server's files are not on $SOURCE yet. Nothing was changed." \
                "Run the first server's step before this one."
        rsync --archive --checksum --dry-run --8-bit-output --out-format='%i %n' "$SITE/" "$volume/" >"$work/compared"
        while read -r what path; do
            case $what in
                ?[fL]+++++++++) echo "only on this server: $path" ;;
                ?[fL]c*) echo "other content: $path" ;;
            esac
        done <"$work/compared" >"$own"
        head -n 100 "$own"
    fi

    echo "$page" >"$moving"
    systemctl stop "$APACHE_SERVICE"
    if [ "$FIRST" = yes ] && [ "$(listing)" != "$listed" ]; then
        differs=$(CHECK=$differs SOURCE=$SITE TARGET=$volume run_script "$COPY")
        [ -z "$differs" ] || fail "These differ on the volume, or are newer there: ${differs:0:500}"
    fi
    mv --no-target-directory "$SITE" "$orig"
fi

MOUNTPOINT=$SITE run_script "$MOUNT"
systemctl start "$APACHE_SERVICE"

expected=
[ ! -e "$moving" ] || expected=$(cat "$moving")
serves() {
    # shellcheck disable=SC2053 # a pattern
    [[ "$(answer /healthz)" = 200* && "$(answer /)" = $expected* ]]
}
wait_until 15 serves || fail "From the volume, Apache answers $(answer / | cut -c-20), not ${expected:0:20}, \
and $(answer /healthz | cut -c-3) at /healthz, not 200. Its error log names the cause."
if [ -e "$moving" ]; then
    state=$SITE/.ha-wordpress
    [ ! -e "$state/copying" ] || confined "$SITE" /usr mv --no-target-directory "$state/copying" "$state/code"
    rm "$moving"
fi
# mkdir follows no link at the end of its path, and empties no file
[ -d "$SITE/$record" ] || confined "$SITE" /usr mkdir -p "$SITE/$record"
