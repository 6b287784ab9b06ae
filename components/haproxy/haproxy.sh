#!/bin/bash
# HAProxy with the configuration CONFIG. http://127.0.0.1:OWN_PORT/version answers with the checksum of the loaded
# configuration. A change takes effect by a reload, which drops no connection. RESTART and HOLD: drop-ins of the
# service.
set -euo pipefail

file=/etc/haproxy/haproxy.cfg
version=$(sha256sum <<<"$CONFIG" | cut -d ' ' -f 1)
text=${CONFIG//@VERSION@/$version}
next=$(mktemp)
trap 'rm -f "$next"' EXIT
printf '%s' "$text" >"$next"
run_or_undo haproxy -c -f "$next"
write_if_changed "$file" 644 "$text"

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
These listen on port 80:
$(ss --no-header --tcp --listening --numeric --processes 'sport = :80')" haproxy
