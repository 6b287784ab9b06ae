#!/bin/bash
# unbanned ADDRESS START SECONDS: records that fail2ban has unbanned an address; fail2ban runs it (action.conf). An
# unban at the ban's end is not recorded. An earlier one comes from an operator's fail2ban-client: every node follows.
set -euo pipefail
export LC_ALL=C
known=/var/lib/ha-wordpress/bans
longest=@LONGEST@
[ "$((${2%.*} + ${3%.*}))" -gt "$((EPOCHSECONDS + 1))" ] || exit 0
# nothing to record if apply.sh passed the unban on to fail2ban, as that unban is a fact already
find "$known" -type f -printf '%f\n' | /usr/local/lib/ha-wordpress/bans-live "$EPOCHSECONDS" |
    grep "^banned,$1," >/dev/null || exit 0
: >"$known/unbanned,$1,$((EPOCHSECONDS + longest)),${EPOCHREALTIME/./}"
systemctl start --no-block bans-apply.service
