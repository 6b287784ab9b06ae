#!/bin/bash
# Probes PEERS from this node, and waits until it is connected to OTHERS peers.
set -euo pipefail

for peer in $PEERS; do
    if ! output=$(gluster --mode=script peer probe "$peer" 2>&1); then
        echo "$peer cannot be made a peer: $output" >&2
        exit 1
    fi
done

connected() {
    gluster --mode=script --xml peer status | tr -d '\n ' | sed 's/<peer>/\n&/g' |
        grep -c '<connected>1</connected>.*<stateStr>PeerinCluster</stateStr>' || true
}

end=$((SECONDS + 60))
until [ "$(connected)" -eq "$OTHERS" ]; do
    if [ "$SECONDS" -ge "$end" ]; then
        echo "Not all $OTHERS peers are connected to this node:" >&2
        gluster --mode=script peer status >&2
        exit 1
    fi
    sleep 0.2
done
