#!/bin/bash
# Prints what this node lacks, one line each; nothing if it is whole. URLS: addresses, one per line, that answer 200 while
# it serves. VOLUME: the volume that it has a brick of, or empty. HEALED: yes to ask about the heals of all bricks.
# RETURNED: yes to put the node back into service first. IN_SERVICE: yes to print only whether it does any of its duties.
# MAINTENANCE: yes if the node's own maintenance asks.
set -euo pipefail

# made by components/maintenance, which needs the node drained
maintained=/run/ha-wordpress-maintenance
[ "$RETURNED" != yes ] || [ -e "$maintained" ] || rm -f /run/ha-wordpress-drained

# shellcheck disable=SC2153 # a parameter
mapfile -t urls <<<"$URLS"
if [ "$IN_SERVICE" = yes ]; then
    ! pgrep -x glusterfsd >/dev/null || serves=yes
    for url in "${urls[@]}"; do
        [ -z "$url" ] || [ "$(http_status "$url")" != 200 ] || serves=yes
    done
    echo "${serves-no}"
    exit
fi

[ ! -e "$maintained" ] || [ -n "${MAINTENANCE-}" ] || echo "its maintenance is under way"
for url in "${urls[@]}"; do
    [ -n "$url" ] || continue
    status=$(http_status "$url")
    [ "$status" = 200 ] || echo "$url answers $status"
done
[ -n "$VOLUME" ] || exit 0

timeout 20 gluster --mode=script peer status 2>&1 | awk '
    /^Hostname:/ { peer = $2 }
    /^State:/ && !/Peer in Cluster \(Connected\)/ { sub(/^State: /, ""); print "peer " peer ": " $0 }' || true

# heal_count: prints the entries in the indices of all bricks; `heal info` locks every entry that it lists.
heal_count() {
    timeout 60 gluster --mode=script volume heal "$VOLUME" statistics heal-count 2>&1 | awk '
        /^Number of entries:/ { n += $4; known = 1; if ($4 !~ /^[0-9]+$/) unknown = 1 }
        END { print known && !unknown ? n : "unknown" }'
}
if [ "$HEALED" = yes ]; then
    offline=$(timeout 60 gluster --mode=script --xml volume status "$VOLUME" 2>/dev/null | awk -F '[<>]' '
        /<hostname>/ { host = $3 }
        /<path>/ { path = $3 }
        /<status>/ && path ~ /^\// { known = 1; if ($3 != 1) print "brick " host ":" path " is offline"; path = "" }
        END { if (!known) print "glusterd does not tell the state of the bricks" }') || true
    [ -z "$offline" ] || echo "$offline"
    count=$(heal_count) || true
    if [[ ! $count =~ ^[0-9]+$ ]] || [ "$count" -ge 20 ]; then
        echo "entries to heal: $count"
    else
        timeout 60 gluster --mode=script volume heal "$VOLUME" info summary 2>&1 | awk '
            /^Brick / { brick = $2; bricks++ }
            /^Status:/ && !/Connected/ { print brick " is not connected" }
            /^Number of entries in heal pending:/ && $NF != 0 { print brick ": entries to heal: " $NF }
            /^Number of entries in split-brain:/ && $NF != 0 { print brick ": entries in split-brain: " $NF }
            END { if (!bricks) print "the heals are unknown" }' || true
    fi
fi
