#!/bin/bash
# PHP-FPM keeps its sessions in SESSIONS, a directory of the volume that is mounted at MOUNT. POOL, GUARD, IN_PLACE,
# COLLECT, SERVICE and TIMER: texts of files. PHP-FPM is reloaded only if its pool changed.
set -euo pipefail

version=$(php -r 'echo PHP_MAJOR_VERSION . "." . PHP_MINOR_VERSION;')
fpm=php$version-fpm
pools=/etc/php/$version/fpm/pool.d
wrong=()
is_glusterfs_mount "$MOUNT" ||
    wrong+=("No GlusterFS volume is mounted at $MOUNT. Mount it there, and run this again.")
grep -qxF '[www]' "$pools/www.conf" ||
    wrong+=("PHP-FPM $version has no pool www in $pools/www.conf. Restore the file of the package.")
[ "${#wrong[@]}" -eq 0 ] || fail "${wrong[@]}"

# As www-data, which can write at MOUNT and could have planted a link there. Only PHP may read the directory.
as_www_data mkdir -p "$SESSIONS" && as_www_data chmod 700 "$SESSIONS" || true
[ "$(stat --format '%F %U %a' "$SESSIONS")" = "directory www-data 700" ] ||
    fail "$SESSIONS is not a directory of www-data. Remove it, and run this again."

lib=/usr/local/lib/ha-wordpress
units=/etc/systemd/system
write_if_changed "$lib/sessions-in-place.php" 644 "$IN_PLACE"
write_if_changed "$lib/sessions-guard.php" 644 "$GUARD"
write_if_changed "$pools/www-sessions.conf" 644 "$POOL" reload_php
[ -z "${reload_php-}" ] || run_or_undo "php-fpm$version" --test
apply reload_php systemctl reload "$fpm"

write_if_changed "$lib/sessions-collect" 755 "$COLLECT"
write_if_changed "$units/sessions-collect.service" 644 "$SERVICE"
write_if_changed "$units/sessions-collect.timer" 644 "$TIMER"
systemctl daemon-reload
enable_units sessions-collect.timer
systemctl start sessions-collect.timer

"php-fpm$version" -tt 2>&1 | grep -qE "session\.save_path\] = $SESSIONS\$" ||
    fail "PHP-FPM does not keep its sessions in $SESSIONS. Remove session.save_path from the other files in $pools."
probe=$SESSIONS/.$HOSTNAME
output=$(timeout 20 runuser --user www-data -- flock "$probe" rm "$probe" 2>&1) ||
    fail "PHP's user cannot write and lock files in $SESSIONS: $output"
