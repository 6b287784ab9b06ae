#!/bin/bash
# unban ADDRESS: ends the ban of an address, on this node at once and on the site's other nodes within seconds. Its next
# hits may ban it again; the settings name the addresses that are never banned.
set -euo pipefail
export LC_ALL=C
known=/var/lib/ha-wordpress/bans
shared=@SHARED@
longest=@LONGEST@
if [ $# -ne 1 ]; then
    echo "usage: unban ADDRESS" >&2
    exit 2
fi
# in the form that fail2ban uses
if ! address=$(python3 -c 'import ipaddress, sys; print(ipaddress.ip_address(sys.argv[1]))' "$1" 2>/dev/null); then
    echo "$1 is not an address; write one such as 203.0.113.9 or 2001:db8::9" >&2
    exit 2
fi
fact="unbanned,$address,$((EPOCHSECONDS + longest)),${EPOCHREALTIME/./}"
: >"$known/$fact"
end=$((SECONDS + 10))
# repeated, because a run that had already begun may have missed the fact
until timeout 10 systemctl start bans-apply.service && [ ! -e "/run/ha-wordpress/banned/$address" ]; do
    if [ "$SECONDS" -ge "$end" ]; then
        echo "$address is still banned here; see: journalctl --unit bans-apply" >&2
        exit 1
    fi
    sleep 0.2
done
timeout 10 systemctl start bans-share.service || true
if timeout --signal=KILL 3 test -e "$shared/$fact"; then
    echo "$address is not banned any more; the other nodes follow within 5 seconds."
else
    echo "$address is not banned on this node any more. The volume cannot be written: other nodes follow once it can."
fi
