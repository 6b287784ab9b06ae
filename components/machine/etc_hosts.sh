#!/bin/bash
# Keeps one block of /etc/hosts: HOSTS, lines of an address and a name.
set -euo pipefail

begin='# begin ha-wordpress'
end='# end ha-wordpress'

next=$(mktemp /etc/hosts.XXXXXX)
trap 'rm -f "$next"' EXIT
sed "/^$begin\$/,/^$end\$/d" /etc/hosts >"$next"
printf '%s\n' "$begin" "$HOSTS" "$end" >>"$next"
if ! cmp -s "$next" /etc/hosts; then
    chmod 644 "$next"
    mv "$next" /etc/hosts
fi

while read -r address name; do
    found=$(getent ahostsv4 "$name" | awk 'NR == 1 { print $1 }')
    if [ "$found" != "$address" ]; then
        echo "$name is ${found:-unknown} on this machine, not $address: something else in /etc/hosts names it" >&2
        exit 1
    fi
done <<<"$HOSTS"
