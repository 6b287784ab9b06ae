#!/bin/bash
# ban ADDRESS START SECONDS: bans an address on every node until SECONDS after START. Fail2ban runs it (action.conf).
# Several nodes count the hit at START: they all record the same fact, which the volume then holds once. A ban that is
# recorded after an unban counts as decided after it, even if the hits came before the unban.
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
