#!/bin/bash
# HAProxy with the configuration CONFIG. http://127.0.0.1:OWN_PORT/version answers with the checksum of the loaded
# configuration and certificate. A change takes effect by a reload, which drops no connection. RESTART and HOLD: drop-ins
# of the service. On standard input, for HTTPS: CERTIFICATE, a PEM text with the certificate, those that signed it, and
# its private key.
set -euo pipefail

CERTIFICATE=
eval "$(cat)"
file=/etc/haproxy/haproxy.cfg
pem=/etc/haproxy/site.pem
version=$(sha256sum <<<"$CONFIG$CERTIFICATE" | cut -d ' ' -f 1)
text=${CONFIG//@VERSION@/$version}
# In memory, as it holds the key, and always at the same place: what a killed run leaves there, the next one removes.
next=/run/ha-wordpress/haproxy
trap 'rm -rf "$next"' EXIT
mkdir -p "$next"
chmod 700 "$next"
printf '%s' "$CERTIFICATE" >"$next/site.pem"
printf '%s' "${text//@CERTIFICATE@/$next/site.pem}" >"$next/haproxy.cfg"
run_or_undo haproxy -c -f "$next/haproxy.cfg"
[ -z "$CERTIFICATE" ] || write_if_changed "$pem" 600 "$CERTIFICATE"
write_if_changed "$file" 644 "${text//@CERTIFICATE@/$pem}"
[ -n "$CERTIFICATE" ] || rm -f "$pem"

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

write_if_changed /etc/systemd/system/haproxy.service.d/ha-wordpress.conf 644 "$RESTART"
write_if_changed /etc/systemd/system/haproxy.service.d/hold.conf 644 "$HOLD"
systemctl daemon-reload
enable_units haproxy
# a start that fails is reported below, with HAProxy's log
systemctl start haproxy || true
next_reload=$SECONDS
wait_until 20 reload_until_in_force || fail_with_journal "HAProxy does not run with the configuration $file. \
These listen on ports 80 and 443:
$(ss --no-header --tcp --listening --numeric --processes 'sport = :80 or sport = :443')" haproxy
