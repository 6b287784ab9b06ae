#!/bin/bash
# nginx and PHP-FPM for files on MOUNT, with the texts NGINX, SITE_POOL, HEALTH_POOL, PHP_INI and HEALTHZ;
# PHP trusts the certificates TRUSTED_CA. nginx answers on PORT. A service is reloaded only when something of its own
# changed.
set -euo pipefail

version=$(php -r 'echo PHP_MAJOR_VERSION . "." . PHP_MINOR_VERSION;')
php=/etc/php/$version
fpm=php$version-fpm

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/before" "$work/ca"

# changed TEXT FILE: writes the file, keeps what was there, and says whether it was another
changed() {
    if printf '%s' "$1" | cmp -s - "$2"; then
        return 1
    fi
    mkdir -p "$(dirname "$2")"
    touch "$2"
    cp --parents "$2" "$work/before"
    printf '%s' "$1" >"$2"
}

# quietly COMMAND...: when it fails, what it says is told and the files are put back: a service that is started again
# must not meet what its own check refused
quietly() {
    local output
    output=$("$@" 2>&1) || {
        echo "$output" >&2
        cp --recursive --no-target-directory "$work/before" /
        exit 1
    }
}

# one certificate a file, as update-ca-certificates(8) wants them
certificates=/usr/local/share/ca-certificates/ha-wordpress
awk -v to="$work/ca/ca" '/BEGIN CERTIFICATE/ { n++ } { print > (to n ".crt") }' <<<"$TRUSTED_CA"
if [ -n "$TRUSTED_CA" ] && ! diff -rq "$work/ca" "$certificates" >/dev/null 2>&1; then
    rm -rf "$certificates"
    mkdir -p "$certificates"
    cp "$work"/ca/* "$certificates"
    quietly update-ca-certificates
    reload_php=yes
fi

changed "$PHP_INI" "$php/mods-available/ha-wordpress.ini" && reload_php=yes
changed "$SITE_POOL" "$php/fpm/pool.d/www.conf" && reload_php=yes
changed "${HEALTH_POOL//@MOUNT@/$MOUNT}" "$php/fpm/pool.d/health.conf" && reload_php=yes
changed "$HEALTHZ" /usr/local/lib/ha-wordpress/healthz.php && reload_php=yes
phpenmod -v "$version" ha-wordpress
quietly "php-fpm$version" --test

changed "$NGINX" /etc/nginx/conf.d/ha-wordpress.conf && reload_nginx=yes
if [ -e /etc/nginx/sites-enabled/default ]; then
    rm /etc/nginx/sites-enabled/default
    reload_nginx=yes
fi
quietly nginx -tq

for service in "$fpm" nginx; do
    # asked first, as enabling takes a second or two where SysV scripts are compared
    systemctl is-enabled --quiet "$service" || systemctl enable --quiet "$service"
    systemctl start "$service"
done
[ -z "${reload_php-}" ] || systemctl reload "$fpm"
[ -z "${reload_nginx-}" ] || systemctl reload nginx

# 503 is an answer too: whether the mount is there is not this step's business
answer() {
    curl --silent --output /dev/null --write-out '%{http_code}' --max-time 5 "http://127.0.0.1:$PORT/healthz" || true
}
end=$((SECONDS + 30))
until [[ "$(answer)" =~ ^(200|503)$ ]]; do
    if [ "$SECONDS" -ge "$end" ]; then
        echo "/healthz answers $(answer) on this machine; expected 200, or 503 while the site's files are not mounted." >&2
        journalctl --no-pager --lines=20 --unit="$fpm" --unit=nginx >&2
        exit 1
    fi
    sleep 0.2
done
