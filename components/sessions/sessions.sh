#!/bin/bash
# PHP-FPM's sessions in SESSIONS, a directory of the volume at MOUNT, with the files POOL, GUARD, IN_PLACE, COLLECT,
# SERVICE and TIMER. PHP-FPM is reloaded only when something of its own changed.
set -euo pipefail

version=$(php -r 'echo PHP_MAJOR_VERSION . "." . PHP_MINOR_VERSION;')
fpm=php$version-fpm
pools=/etc/php/$version/fpm/pool.d
wrong=()
[ "$(findmnt --noheadings --output FSTYPE --mountpoint "$MOUNT")" = fuse.glusterfs ] ||
    wrong+=("No GlusterFS volume is mounted at $MOUNT.")
grep -qxF '[www]' "$pools/www.conf" || wrong+=("PHP-FPM $version has no pool www.")
if [ "${#wrong[@]}" -gt 0 ]; then
    printf '%s\n' "${wrong[@]}" >&2
    exit 1
fi

# changed TEXT MODE FILE: writes the file, and says whether it was another
changed() {
    if printf '%s' "$1" | cmp -s - "$3"; then
        return 1
    fi
    mkdir -p "$(dirname "$3")"
    install -m "$2" /dev/null "$3"
    printf '%s' "$1" >"$3"
}

# only PHP comes in
[ "$(stat --format '%U %a' "$SESSIONS" 2>/dev/null)" = "www-data 700" ] ||
    install --directory --owner=www-data --group=www-data --mode=700 "$SESSIONS"

changed "$IN_PLACE" 644 /usr/local/lib/ha-wordpress/sessions-in-place.php || true
changed "$GUARD" 644 /usr/local/lib/ha-wordpress/sessions-guard.php || true
file=$pools/www-sessions.conf
before=$(mktemp)
trap 'rm -f "$before"' EXIT
# nothing where there is none yet: an empty file is a good one
cat "$file" >"$before" 2>/dev/null || true
if changed "$POOL" 644 "$file"; then
    output=$("php-fpm$version" --test 2>&1) || {
        echo "$output" >&2
        cat "$before" >"$file"
        exit 1
    }
    systemctl reload "$fpm"
fi

changed "$COLLECT" 755 /usr/local/lib/ha-wordpress/sessions-collect || true
changed "$SERVICE" 644 /etc/systemd/system/sessions-collect.service && reload_units=yes
changed "$TIMER" 644 /etc/systemd/system/sessions-collect.timer && reload_units=yes
[ -z "${reload_units-}" ] || systemctl daemon-reload
systemctl is-enabled --quiet sessions-collect.timer || systemctl enable --quiet sessions-collect.timer
systemctl start sessions-collect.timer

if ! "php-fpm$version" -tt 2>&1 | grep -qE "session\.save_path\] = $SESSIONS\$"; then
    echo "PHP-FPM does not keep its sessions in $SESSIONS." >&2
    exit 1
fi
probe=$SESSIONS/.$HOSTNAME
if ! output=$(timeout 20 runuser --user www-data -- flock "$probe" rm "$probe" 2>&1); then
    echo "PHP's user cannot write and lock files in $SESSIONS: $output" >&2
    exit 1
fi
