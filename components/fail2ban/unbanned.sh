#!/bin/bash
# unbanned ADDRESS START SECONDS: fail2ban has let an address go (action.conf). At the ban's end that is nothing new;
# before it, an operator has said so to fail2ban, and every node lets the address go.
set -euo pipefail
export LC_ALL=C
known=/var/lib/ha-wordpress/bans
longest=@LONGEST@
[ "$((${2%.*} + ${3%.*}))" -gt "$((EPOCHSECONDS + 1))" ] || exit 0
# not where fail2ban was told so by apply.sh, whose unban is a fact already
find "$known" -printf '%f\n' | awk -v now="$EPOCHSECONDS" -f /usr/local/lib/ha-wordpress/bans-live.awk |
    grep -q "^banned,$1," || exit 0
: >"$known/unbanned,$1,$((EPOCHSECONDS + longest)),${EPOCHREALTIME/./}"
systemctl start --no-block bans-apply.service
