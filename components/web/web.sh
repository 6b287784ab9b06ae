#!/bin/bash
# nginx on PORT and PHP-FPM, for the site's files on MOUNT. NGINX, SITE_POOL, UPDATES_POOL, HEALTH_POOL, PHP_INI and
# HEALTHZ: texts of files. RESTART: a drop-in of both services. LOGROTATE: how nginx's logs are rotated;
# LOGROTATE_TIMER: a drop-in of logrotate's timer. SYSUSERS and TMPFILES: nginx's user, and the directory of PHP's
# sockets. RESERVED_MB: memory that PHP's workers leave to other services. TRUSTED_CA: certificates that PHP trusts. A
# service is reloaded only if one of its own files changed.
set -euo pipefail

version=$(php -r 'echo PHP_MAJOR_VERSION . "." . PHP_MINOR_VERSION;')
php=/etc/php/$version
fpm=php$version-fpm

write_if_changed /etc/sysusers.d/ha-wordpress.conf 644 "$SYSUSERS"
SYSTEMD_LOG_LEVEL=warning systemd-sysusers /etc/sysusers.d/ha-wordpress.conf
write_if_changed /etc/tmpfiles.d/ha-wordpress-web.conf 644 "$TMPFILES"
systemd-tmpfiles --create /etc/tmpfiles.d/ha-wordpress-web.conf

# one certificate a file, as update-ca-certificates(8) wants them
certificates=/usr/local/share/ca-certificates/ha-wordpress
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
awk -v to="$work/ca" '/BEGIN CERTIFICATE/ { n++ } { print > (to n ".crt") }' <<<"$TRUSTED_CA"
if [ -n "$TRUSTED_CA" ] && ! diff -rq "$work" "$certificates" >/dev/null 2>&1; then
    set_pending reload_php
    set_pending update_certificates
    rm -rf "$certificates"
    mkdir -p "$certificates"
    cp "$work"/* "$certificates"
fi
update_certificates() {
    output=$(update-ca-certificates 2>&1) || fail "$output"
}
apply update_certificates update_certificates

write_if_changed "$php/mods-available/ha-wordpress.ini" 644 "$PHP_INI" reload_php
# A worker has 57 to 60 MB after a dozen pages of WordPress; 7 to 10 MB are its own, the rest is the code cache that all
# share. With 64 MB for each, one worker in four may use up memory_limit (256 MB) at the same moment. With 256 MB for
# each, a machine of 2 GB would have four workers, and four slow pages would occupy all.
workers=$((($(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo) - RESERVED_MB) / 64))
[ "$workers" -ge 16 ] || workers=16
# a worker uses one connection to the database: the smallest database accepts about 150, for three nodes
[ "$workers" -le 48 ] || workers=48
write_if_changed "$php/fpm/pool.d/www.conf" 644 "${SITE_POOL//@WORKERS@/$workers}" reload_php
write_if_changed "$php/fpm/pool.d/updates.conf" 644 "$UPDATES_POOL" reload_php
write_if_changed "$php/fpm/pool.d/health.conf" 644 "${HEALTH_POOL//@MOUNT@/$MOUNT}" reload_php
write_if_changed /usr/local/lib/ha-wordpress/healthz.php 644 "$HEALTHZ" reload_php
phpenmod -v "$version" ha-wordpress
run_or_undo "php-fpm$version" --test

# nginx accepts the user only in this file, and only once
main=$(sed 's/^user .*/user nginx;/' /etc/nginx/nginx.conf)
write_if_changed /etc/nginx/nginx.conf 644 "$main"$'\n' reload_nginx
# nginx changes the owner of its temporary directories by itself, but not of the directories in them
find /var/lib/nginx -mindepth 2 ! -user nginx -delete
write_if_changed /etc/nginx/conf.d/ha-wordpress.conf 644 "$NGINX" reload_nginx
if [ -e /etc/nginx/sites-enabled/default ]; then
    set_pending reload_nginx
    rm /etc/nginx/sites-enabled/default
fi
run_or_undo nginx -tq

for service in "$fpm" nginx; do
    write_if_changed "/etc/systemd/system/$service.service.d/ha-wordpress.conf" 644 "$RESTART"
done
write_if_changed /etc/logrotate.d/nginx 644 "$LOGROTATE"
write_if_changed /etc/systemd/system/logrotate.timer.d/ha-wordpress.conf 644 "$LOGROTATE_TIMER"
systemctl daemon-reload
enable_units "$fpm" nginx
systemctl start "$fpm" nginx
apply reload_php systemctl reload "$fpm"
sockets() {
    local name
    for name in site updates health; do
        [ -S "/run/ha-wordpress-php/$name.sock" ] || return
    done
}
# PHP-FPM opens new sockets only after its workers have finished their requests
wait_until 30 sockets || fail_with_journal "PHP-FPM does not open its sockets in /run/ha-wordpress-php:" "$fpm"
apply reload_nginx systemctl reload nginx

health=http://127.0.0.1:$PORT/healthz
# 503 is accepted, as another step mounts the volume
answers() {
    [[ $(http_status "$health") =~ ^(200|503)$ ]]
}
wait_until 30 answers || fail_with_journal "$health answers $(http_status "$health") on this machine, not 200, \
or 503 while the site's files are not mounted:" "$fpm" nginx
