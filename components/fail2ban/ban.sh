#!/bin/bash
# ban ADDRESS START SECONDS: bans an address on every node until SECONDS after START; given by fail2ban (action.conf).
# The hit at START was counted on several nodes: they all state the same fact, which the volume then holds once. What is
# banned after an unban is decided after it, whenever the hits were.
set -euo pipefail
shopt -s nullglob
export LC_ALL=C
known=/var/lib/ha-wordpress/bans
decided=${2%.*}000000
for unbanned in "$known/unbanned,$1,"*; do
    [ "${unbanned##*,}" -lt "$decided" ] || decided=$((${unbanned##*,} + 1))
done
: >"$known/banned,$1,$((${2%.*} + ${3%.*})),$decided"
systemctl start --no-block bans-apply.service
