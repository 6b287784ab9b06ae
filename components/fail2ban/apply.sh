#!/bin/bash
# Makes this machine refuse exactly the addresses that its facts ban. A table of the packet filter drops the packets of
# clients that connect to this machine directly. For visitors behind a balancer, nginx and Varnish look for a file with
# the address as its name. Passes unbans of other nodes on to fail2ban, which does not ban an address again while it
# counts it as banned. Does nothing if nothing has changed, but applies everything again every minute, in case another
# program has flushed the table.
set -euo pipefail
export LC_ALL=C
known=/var/lib/ha-wordpress/bans
run=/run/ha-wordpress
state=$(stat --format=%y "$known")
due=0 seen=
[ ! -e "$run/applied" ] || read -r due seen <"$run/applied"
[ "$seen" != "$state" ] || [ "$EPOCHSECONDS" -ge "$due" ] || exit 0

now=$EPOCHSECONDS
facts=$(find "$known" -type f -printf '%f\n' | /usr/local/lib/ha-wordpress/bans-live "$now")
# on each line an address and the seconds left of its ban
bans=$(awk -F, -v now="$now" '$1 == "banned" && $3 > end[$2] { end[$2] = $3 }
    END { for (address in end) print address, end[address] - now }' <<<"$facts")

nft -f - <<RULES
table inet ha-wordpress {
    set banned4 { type ipv4_addr; flags timeout; }
    set banned6 { type ipv6_addr; flags timeout; }
    chain input { type filter hook input priority -10; policy accept; }
}
flush chain inet ha-wordpress input
flush set inet ha-wordpress banned4
flush set inet ha-wordpress banned6
add rule inet ha-wordpress input ip saddr @banned4 drop
add rule inet ha-wordpress input ip6 saddr @banned6 drop
$(awk 'NF { print "add element inet ha-wordpress banned" ($1 ~ /:/ ? 6 : 4), "{", $1, "timeout", $2 "s }" }' <<<"$bans")
RULES

# each IPv4 address also in its IPv4-mapped IPv6 form
has=$(find "$run/banned" -type f -printf '%f\n' | sort)
wanted=$(awk 'NF { print $1; if ($1 !~ /:/) print "::ffff:" $1 }' <<<"$bans" | sort)
cd "$run/banned"
comm -23 <(echo "$has") <(echo "$wanted") | xargs --no-run-if-empty rm -f --
comm -13 <(echo "$has") <(echo "$wanted") | xargs --no-run-if-empty touch --

unbanned=$(awk -F, '{ kinds[$2] = kinds[$2] $1 }
    END { for (address in kinds) if (kinds[address] == "unbanned") print address }' <<<"$facts" | sort)
passed_on=$(cat "$run/passed-on" 2>/dev/null || true)
if [ "$unbanned" != "$passed_on" ]; then
    # passes each unban on once: fail2ban may have banned the address again by now, in a fact later than those read here
    new=$(comm -23 <(echo "$unbanned") <(echo "$passed_on"))
    # shellcheck disable=SC2086 # a list of words
    [ -z "$new" ] || timeout 10 fail2ban-client unban $new >/dev/null 2>&1 || exit 0
    echo "$unbanned" >"$run/passed-on"
fi

due=$(awk -F, -v due="$((now + 60))" '$1 == "banned" && $3 < due { due = $3 } END { print due }' <<<"$facts")
echo "$due $state" >"$run/applied"
