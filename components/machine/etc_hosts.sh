#!/bin/bash
# Keeps one block in /etc/hosts. HOSTS: its lines, each an address and a name.
set -euo pipefail

begin='# begin ha-wordpress'
end='# end ha-wordpress'
others=$(sed "/^$begin\$/,/^$end\$/d" /etc/hosts)
write_if_changed /etc/hosts 644 "$(printf '%s\n' "$others" "$begin" "$HOSTS" "$end")"$'\n'

while read -r address name; do
    found=$(getent ahostsv4 "$name" | awk 'NR == 1 { print $1 }')
    [ "$found" = "$address" ] || fail "$name is ${found:-unknown} on this machine, not $address." \
        "Remove the other line that names it from /etc/hosts, above '$begin', and run this again."
done <<<"$HOSTS"
