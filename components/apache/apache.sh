#!/bin/bash
# Moves SITE, what Apache serves, onto the volume SOURCE (BACKUPS: further servers of it, colon between), which is then
# mounted at SITE; the old tree stays as SITE.orig. With FIRST=yes the volume gets this server's tree; without, what only
# this server has or has otherwise is printed. CONF: Apache's settings. Other steps' texts: COPY is copy.sh,
# MOUNT mount.sh, which wants UNIT.
#
# Apache stops while SITE changes, and for nothing else. Whatever goes wrong in that time, the old tree is put back and
# Apache started: at the end of this script, or by the next run where this one was killed.
set -euo pipefail
umask 022
# shellcheck disable=SC1091 # packages.sh writes it on the machine
. /etc/ha-wordpress/os.env

orig=$SITE.orig
volume=/run/ha-wordpress/volume
# there while SITE changes; what Apache answered before
moving=/var/lib/ha-wordpress/apache-moving
# what this server had besides the first one's files
own=/var/lib/ha-wordpress/apache-own
unit=$(systemd-escape --path --template=gluster-mount@.service "$SITE")

fail() {
    echo "$1" >&2
    exit 1
}

mounted() {
    [ "$(findmnt --noheadings --output FSTYPE --mountpoint "$SITE")" = fuse.glusterfs ]
}
in_fstab() {
    awk -v site="$SITE" '$2 == site && $3 == "glusterfs" { found = 1 } END { exit !found }' /etc/fstab
}

# answer PATH: the status of Apache's answer, and the sum of what it sent
answer() {
    local status
    status=$(curl --silent --max-time 10 --output "$work/page" --write-out '%{http_code}' "http://127.0.0.1$1") || true
    echo "$status" "$(sha256sum <"$work/page")"
}

# everything under SITE by the time of its last change, whatever changed
listing() {
    find "$SITE" -printf '%P %i %C@\n' | sort | sha256sum
}

# whether or not it is mounted; one whose client has died cannot even be asked
unmount() {
    umount --lazy --no-canonicalize "$1" 2>/dev/null || true
}

put_back() {
    trap '' HUP INT TERM
    if [ -e "$orig" ]; then
        systemctl stop "$APACHE_SERVICE" || true
        # it is not there yet where the step came to its end before
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

tidy() {
    local status=$?
    trap - EXIT
    if [ -e "$moving" ]; then
        echo "Putting the old $SITE back, and starting Apache." >&2
        put_back || echo "That failed: put $orig back to $SITE by hand, and start $APACHE_SERVICE." >&2
    fi
    unmount "$volume"
    rm -rf "$work"
    exit "$status"
}
work=$(mktemp --directory)
trap tidy EXIT
trap 'exit 143' HUP INT TERM
: >"$work/page"

# an earlier run was killed: where the volume serves since, this one goes on behind that, and else from the start
if [ -e "$moving" ] && ! mounted; then
    put_back
    trap 'exit 143' HUP INT TERM
fi

conf=$APACHE_CONF/ha-wordpress.conf
# shellcheck disable=SC2153 # a parameter
if ! cmp -s - "$conf" <<<"$CONF"; then
    before=$(cat "$conf" 2>/dev/null || true)
    cat >"$conf" <<<"$CONF"
    if ! output=$(apachectl configtest 2>&1); then
        if [ -n "$before" ]; then cat >"$conf" <<<"$before"; else rm "$conf"; fi
        fail "$output"
    fi
    ! systemctl is-active --quiet "$APACHE_SERVICE" || systemctl reload "$APACHE_SERVICE"
fi
# Apache's own start waits for the first attempt to mount, as logs may be there; not for its success
order=/etc/systemd/system/$APACHE_SERVICE.service.d/ha-wordpress.conf
unmount "$volume"
mkdir -p "$(dirname "$order")" "$(dirname "$moving")" "$volume"
after=$'[Unit]\nAfter='$unit
if ! cmp -s - "$order" <<<"$after"; then
    echo "$after" >"$order"
    systemctl daemon-reload
fi
if [ "$(getenforce 2>/dev/null || true)" = Enforcing ] && [[ $(getsebool httpd_use_fusefs) != *on ]]; then
    setsebool -P httpd_use_fusefs on
fi

if [ ! -e "$moving" ] && ! in_fstab; then
    [ -d "$SITE" ] && [ ! -L "$SITE" ] || fail "$SITE is not a directory of this machine."
    [ ! -e "$orig" ] || fail "$orig is there already: move it away, so that $SITE can take the name."
    ! mountpoint --quiet "$SITE" || fail "$SITE is a file system of its own; only a directory can be moved."
    page=$(answer /)
    [[ $page != 000* ]] || fail "Apache does not answer at http://127.0.0.1/ on this machine. Nothing was changed."
    # a page that is never the same twice can only be told by its status
    [ "$(answer /)" = "$page" ] || page=${page%% *}
    health=$(answer /healthz)
    [[ $health =~ ^(200|403|404) ]] ||
        fail "/healthz answers ${health%% *}: the site's own settings take that path. Nothing was changed."

    mount -t glusterfs -o "fetch-attempts=3${BACKUPS:+,backup-volfile-servers=$BACKUPS}" "$SOURCE" "$volume" ||
        fail "The volume $SOURCE cannot be mounted. Nothing was changed."

    if [ "$FIRST" = yes ]; then
        for _ in 1 2 3; do
            listed=$(listing)
            differs=$(SOURCE=$SITE TARGET=$volume bash -c "$COPY")
            [ "$(listing)" != "$listed" ] || break
        done
        if [ -n "$differs" ] && [ "$(listing)" = "$listed" ]; then
            fail "Not the same on the volume, though nothing changes here: ${differs:0:500}"
        fi
        echo ok >"$volume/.ha-wordpress/health"
    else
        [ -e "$volume/.ha-wordpress/code" ] || fail "The first server's files are not on $SOURCE yet. Nothing was changed."
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
        differs=$(CHECK=$differs SOURCE=$SITE TARGET=$volume bash -c "$COPY")
        [ -z "$differs" ] || fail "Not the same on the volume, or newer there: ${differs:0:500}"
    fi
    mv --no-target-directory "$SITE" "$orig"
fi

MOUNTPOINT=$SITE bash -c "$MOUNT"
systemctl start "$APACHE_SERVICE"

expected=
[ ! -e "$moving" ] || expected=$(cat "$moving")
end=$((SECONDS + 15))
until [[ "$(answer /healthz)" = 200* && "$(answer /)" = "$expected"* ]]; do
    if [ "$SECONDS" -ge "$end" ]; then
        fail "From the volume, Apache answers $(answer / | cut -c-20) where it was ${expected:0:20}, and $(answer /healthz | cut -c-3) at /healthz."
    fi
    sleep 0.2
done
if [ -e "$moving" ]; then
    [ ! -e "$SITE/.ha-wordpress/copying" ] || mv "$SITE/.ha-wordpress/copying" "$SITE/.ha-wordpress/code"
    rm "$moving"
fi
