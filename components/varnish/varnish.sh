#!/bin/bash
# Varnish with the VCL files SITE and NODES, BANS where there is none yet, and the unit's drop-in UNIT; its log with the
# drop-in LOG_UNIT and the format LOG_FORMAT. Changed VCL is taken over by a reload, which keeps what is cached and drops
# no request; only a changed unit restarts Varnish.
set -euo pipefail

directory=/etc/varnish/ha-wordpress
version=$(sha256sum <<<"$SITE$NODES" | cut -d ' ' -f 1)

mkdir -p "$directory"
[ -e "$directory/bans.vcl" ] || printf '%s' "$BANS" >"$directory/bans.vcl"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '%s' "$SITE" >"$work/site.vcl"
printf '%s' "${NODES//@VERSION@/$version}" >"$work/nodes.vcl"
cp "$directory/bans.vcl" "$work"
# varnishd's own user compiles it
chmod 755 "$work"
output=$(varnishd -C -n "$work/checked" -f "$work/site.vcl" 2>&1 >/dev/null) || {
    echo "$output" | sed -n '/^Message from VCC-compiler/,$p' >&2
    exit 1
}
for file in site.vcl nodes.vcl; do
    cmp -s "$work/$file" "$directory/$file" || install -m 644 "$work/$file" "$directory/$file"
done

# put TEXT FILE
put() {
    printf '%s' "$1" | cmp -s - "$2" || printf '%s' "$1" >"$2"
}
units=/etc/systemd/system
mkdir -p "$units/varnish.service.d" "$units/varnishncsa.service.d"
put "$UNIT" "$units/varnish.service.d/ha-wordpress.conf"
put "$LOG_UNIT" "$units/varnishncsa.service.d/ha-wordpress.conf"
put "$LOG_FORMAT" "$directory/log.format"
systemctl daemon-reload
# asked first, as enabling takes a second or two where SysV scripts are compared
systemctl is-enabled --quiet varnish varnishncsa || systemctl enable --quiet varnish varnishncsa

# as_said SERVICE: whether it runs as its unit says
as_said() {
    local pid
    pid=$(systemctl show --property=MainPID --value "$1")
    [ "$pid" != 0 ] && [[ $(systemctl show --property=ExecStart "$1") == *" argv[]=$(tr '\0' ' ' <"/proc/$pid/cmdline"); "* ]]
}
in_force() {
    local active
    active=$(varnishadm vcl.list 2>/dev/null | awk '$1 == "active" { print $5 }')
    [ -n "$active" ] && varnishadm vcl.show -v "$active" | grep -F "$version" >/dev/null
}
# 503 is an answer too: whether the site's files are there is not this step's business
answer() {
    curl --silent --output /dev/null --write-out '%{http_code}' --max-time 5 http://127.0.0.1/healthz || true
}

# a start that fails is told below, with what Varnish says; the log's waits for Varnish, however long that takes
as_said varnish || systemctl restart varnish 2>/dev/null || true
as_said varnishncsa || systemctl restart --no-block varnishncsa
end=$((SECONDS + 40))
until as_said varnish && as_said varnishncsa && in_force && [[ "$(answer)" =~ ^(200|503)$ ]]; do
    if [ "$SECONDS" -ge "$end" ]; then
        echo "Varnish does not serve with $directory/site.vcl: /healthz answers $(answer). Port 80 is listened on by:" >&2
        ss --no-header --tcp --listening --numeric --processes 'sport = :80' >&2
        journalctl --no-pager --lines=20 --unit=varnish --unit=varnishncsa >&2
        exit 1
    fi
    in_force || systemctl reload varnish 2>/dev/null || true
    sleep 0.2
done
