#!/bin/bash
# HAProxy with the configuration CONFIG. http://127.0.0.1:OWN_PORT/version answers with the checksum of the loaded
# configuration and certificate. A change takes effect by a reload, which drops no connection. RESTART and HOLD: drop-ins
# of the service.
#
# For HTTPS, either CERTIFICATE is on standard input, a PEM text with the certificate, those that signed it, and its
# private key; or ACME_DOMAIN is set, and this machine obtains the certificate by ACME_SCRIPT, which ACME_TIMER and
# ACME_SERVICE run. The script keeps its files in ACME_HOME, with the account's key, ACCOUNT_KEY on standard input.
# ADDRESS: the address that visitors use.
set -euo pipefail

ACME_DOMAIN=${ACME_DOMAIN-}
CERTIFICATE=
eval "$(cat)"
file=/etc/haproxy/haproxy.cfg
pem=/etc/haproxy/site.pem
script=/usr/local/lib/ha-wordpress/site-certificate
units=/etc/systemd/system
[ -z "$ACME_DOMAIN" ] || command -v uacme >/dev/null ||
    fail "This machine lacks uacme, which obtains its certificate. Install the package uacme, and run this again."
version=$(sha256sum <<<"$CONFIG$CERTIFICATE" | cut -d ' ' -f 1)
text=${CONFIG//@VERSION@/$version}
# In memory, as it holds the key, and always at the same place: what a killed run leaves there, the next one removes.
next=/run/ha-wordpress/haproxy
trap 'rm -rf "$next"' EXIT
mkdir -p "$next"
chmod 700 "$next"
if [ -n "$ACME_DOMAIN" ] && [ ! -e "$pem" ]; then
    # No browser trusts it. https.cfg knows it by its organisation.
    CERTIFICATE=$(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -keyout - \
        -subj /O=ha-wordpress -addext "subjectAltName=DNS:$ACME_DOMAIN" 2>"$next/log") || fail "$(cat "$next/log")"
fi
checked=$pem
if [ -n "$CERTIFICATE" ]; then
    checked=$next/site.pem
    printf '%s' "$CERTIFICATE" >"$checked"
fi
printf '%s' "${text//@CERTIFICATE@/$checked}" >"$next/haproxy.cfg"
run_or_undo haproxy -c -f "$next/haproxy.cfg"
if [ -z "$ACME_DOMAIN" ] && [ -e "$units/site-certificate.timer" ]; then
    systemctl disable --quiet --now site-certificate.timer
    [ ! -e "$units/site-certificate.service" ] || systemctl stop site-certificate
    # the timer last: a run after one that was killed here removes the rest
    rm -rf /var/lib/ha-wordpress/acme "$script" "$units"/site-certificate.{service,timer}
fi
[ -z "$CERTIFICATE" ] || write_if_changed "$pem" 600 "$CERTIFICATE"
write_if_changed "$file" 644 "${text//@CERTIFICATE@/$pem}"
[ -n "$CERTIFICATE$ACME_DOMAIN" ] || rm -f "$pem" "$pem.new"

in_force() {
    [ "$(curl --silent --fail --max-time 2 "http://127.0.0.1:$OWN_PORT/version")" = "$version" ]
}
# reloads again every three seconds, because HAProxy loses a signal that arrives while it still loads
reload_until_in_force() {
    in_force && return
    if [ "$SECONDS" -ge "$next_reload" ]; then
        systemctl reload haproxy 2>/dev/null || true
        next_reload=$((SECONDS + 3))
    fi
    return 1
}

write_if_changed "$units/haproxy.service.d/ha-wordpress.conf" 644 "$RESTART"
write_if_changed "$units/haproxy.service.d/hold.conf" 644 "$HOLD"
if [ -n "$ACME_DOMAIN" ]; then
    mkdir -p "$ACME_HOME/private"
    chmod 700 "$ACME_HOME" "$ACME_HOME/private"
    write_if_changed "$ACME_HOME/private/key.pem" 600 "$ACCOUNT_KEY"
    write_if_changed "$script" 755 "${ACME_SCRIPT//@ADDRESS@/$ADDRESS}"
    write_if_changed "$units/site-certificate.service" 644 "$ACME_SERVICE"
    write_if_changed "$units/site-certificate.timer" 644 "$ACME_TIMER"
fi
systemctl daemon-reload
enable_units haproxy
# a start that fails is reported below, with HAProxy's log
systemctl start haproxy || true
next_reload=$SECONDS
wait_until 20 reload_until_in_force || fail_with_journal "HAProxy does not run with the configuration $file. \
These listen on ports 80 and 443:
$(ss --no-header --tcp --listening --numeric --processes 'sport = :80 or sport = :443')" haproxy

[ -n "$ACME_DOMAIN" ] || exit 0
enable_units site-certificate.timer
systemctl start site-certificate.timer
# without waiting: the domain's DNS record is made after the first `up`
systemctl start --no-block site-certificate
