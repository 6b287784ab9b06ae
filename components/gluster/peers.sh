#!/bin/bash
# Probes PEERS, a list of host names, from this node, and waits until it is connected to OTHERS peers, a number.
set -euo pipefail

for peer in $PEERS; do
    output=$(gluster --mode=script peer probe "$peer" 2>&1) || fail "$peer cannot become a peer of this node: $output"
done

connected() {
    local count
    count=$(gluster --mode=script --xml peer status | tr -d '\n ' | sed 's/<peer>/\n&/g' |
        grep -c '<connected>1</connected>.*<stateStr>PeerinCluster</stateStr>')
    [ "$count" -eq "$OTHERS" ]
}
wait_until 60 connected || fail "This node is not connected to $OTHERS peers after 60 s:" \
    "$(gluster --mode=script peer status 2>&1)"
