#!/bin/bash
# HAProxy with the configuration CONFIG; /version on its own port OWN_PORT tells which one is in force. A change is taken
# over by a reload, which drops no connection.
set -euo pipefail

file=/etc/haproxy/haproxy.cfg
version=$(sha256sum <<<"$CONFIG" | cut -d ' ' -f 1)
next=$(mktemp)
trap 'rm -f "$next"' EXIT
printf '%s' "${CONFIG//@VERSION@/$version}" >"$next"
output=$(haproxy -c -f "$next" 2>&1) || {
    echo "$output" >&2
    exit 1
}
if ! cmp -s "$next" "$file"; then
    install -m 644 "$next" "$file"
fi

in_force() {
    curl --silent --fail --max-time 2 "http://127.0.0.1:$OWN_PORT/version" || true
}

# asked first, as enabling takes a second or two where SysV scripts are compared
systemctl is-enabled --quiet haproxy || systemctl enable --quiet haproxy
# a start that fails is told below, with what HAProxy says
systemctl start haproxy || true
end=$((SECONDS + 20))
again=$SECONDS
until [ "$(in_force)" = "$version" ]; do
    if [ "$SECONDS" -ge "$end" ]; then
        echo "HAProxy does not run with the configuration $file. Port 80 is listened on by:" >&2
        ss --no-header --tcp --listening --numeric --processes 'sport = :80' >&2
        journalctl --no-pager --lines=20 --unit=haproxy >&2
        exit 1
    fi
    # and once more from time to time: a signal that comes while HAProxy still loads is lost
    if [ "$SECONDS" -ge "$again" ]; then
        systemctl reload haproxy 2>/dev/null || true
        again=$((SECONDS + 3))
    fi
    sleep 0.2
done
