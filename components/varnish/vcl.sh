#!/bin/bash
# Varnish's rules. SITE and NODES: texts of VCL files. BANS: text of bans.vcl, written only if that file does not exist
# yet. A Varnish that runs with these files loads them by a reload, which keeps the cache and drops no request; any other
# one loads them when varnish.sh starts it.
set -euo pipefail

directory=/etc/varnish/ha-wordpress
# shellcheck disable=SC2153 # a parameter
version=$(sha256sum <<<"$SITE$NODES" | cut -d ' ' -f 1)

[ -e "$directory/bans.vcl" ] || write_if_changed "$directory/bans.vcl" 644 "$BANS"

work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
nodes=${NODES//@VERSION@/$version}
printf '%s' "$SITE" >"$work/site.vcl"
printf '%s' "$nodes" >"$work/nodes.vcl"
cp "$directory/bans.vcl" "$work"
# varnishd's own user compiles it
chmod 755 "$work"
output=$(varnishd -C -n "$work/checked" -f "$work/site.vcl" 2>&1 >/dev/null) ||
    fail "$(sed -n '/^Message from VCC-compiler/,$p' <<<"$output")"
write_if_changed "$directory/site.vcl" 644 "$SITE"
write_if_changed "$directory/nodes.vcl" 644 "$nodes"

runs_with_them() {
    grep --null-data --line-regexp --fixed-strings --quiet --no-messages "$directory/site.vcl" \
        "/proc/$(systemctl show --property=MainPID --value varnish)/cmdline"
}
in_force() {
    local active
    active=$(varnishadm vcl.list 2>/dev/null | awk '$1 == "active" { print $5 }')
    [ -n "$active" ] && varnishadm vcl.show -v "$active" | grep -F "$version" >/dev/null
}
reload_until_in_force() {
    in_force && return
    systemctl reload varnish 2>/dev/null || true
    return 1
}
! runs_with_them || wait_until 40 reload_until_in_force ||
    fail_with_journal "Varnish does not load $directory/site.vcl:" varnish
