#!/bin/bash
# If this machine replaces a lost one, gives it the lost node's identity in the pool and its brick. HOST: the node's host
# name. OTHERS: host names of the other nodes. VOLUME: the volume's name. BRICK: the brick's directory. A node that the
# pool does not know stays as it is: it is new.
set -euo pipefail

state=/var/lib/glusterd

gluster() {
    timeout 30 gluster --mode=script "$@"
}

# pool_of NAME: prints a line `uuid host-name` for each node in the pool of the node NAME.
pool_of() {
    timeout 5 gluster --remote-host="$1" pool list 2>/dev/null |
        awk -v self="$1" 'NR > 1 { print $1, $2 == "localhost" ? self : $2 }'
}
peer_answers() {
    for peer in $OTHERS; do
        pool=$(pool_of "$peer") && return
    done
    return 1
}
wait_until 120 peer_answers || fail "No other node's glusterd answers, so this node cannot ask for its place in the pool:" \
    "$OTHERS" "Start glusterd on one of them, and run this again."

uuid=$(awk -v host="$HOST" '$2 == host { print $1 }' <<<"$pool")
[ -n "$uuid" ] || exit 0

own=$(sed -n 's/^UUID=//p' "$state/glusterd.info")
if [ "$own" != "$uuid" ]; then
    ! compgen -G "$state/peers/*" >/dev/null || fail "This machine is a node of another pool: its UUID there is $own." \
        "Nothing was changed. If nothing of that pool is needed, stop glusterd, empty $state, and run this again."
    set_pending ACCEPTANCE
    systemctl stop glusterd
    write_if_changed "$state/glusterd.info" 600 \
        "UUID=$uuid"$'\n'"$(grep '^operating-version=' "$state/glusterd.info")"$'\n'
fi
while read -r other name; do
    # state 3: "Peer in Cluster"; the other nodes have it of this one too
    [ "$other" = "$uuid" ] || [ -e "$state/peers/$other" ] ||
        write_if_changed "$state/peers/$other" 600 "uuid=$other"$'\n'state=3$'\n'"hostname1=$name"$'\n' RESTART
done <<<"$pool"
apply RESTART systemctl restart glusterd
systemctl start glusterd

# without it, the pool was lost between its making and the volume's
timeout 30 gluster --remote-host="$peer" volume info "$VOLUME" >/dev/null 2>&1 || exit 0
knows_volume() {
    gluster volume info "$VOLUME" >/dev/null 2>&1
}
wait_until 120 knows_volume || fail_with_journal "$peer does not tell this node of the volume $VOLUME:" glusterd

# connected_peers [OPTION]: prints the host names of the peers that a node has accepted and is connected to.
connected_peers() {
    timeout 5 gluster --mode=script "$@" peer status 2>/dev/null |
        awk '/^Hostname:/ { host = $2 } /^State: Peer in Cluster \(Connected\)/ { print host }'
}
# rejections: prints the nodes that answer, but are no connected peers of this one, or do not take it for one.
rejections() {
    local own theirs
    own=$(connected_peers) || own=''
    for other in $OTHERS; do
        theirs=$(connected_peers --remote-host="$other") || continue
        grep -qxF "$other" <<<"$own" && grep -qxF "$HOST" <<<"$theirs" || echo "$other"
    done
}
# accepted: whether there have been none for three seconds, as an answer to an earlier connection may still reject.
accepted() {
    local end=$((SECONDS + 3))
    while rejected=$(rejections) && [ -z "$rejected" ]; do
        [ "$SECONDS" -lt "$end" ] || return 0
        sleep 0.2
    done
    return 1
}
# be_accepted: has the other nodes accept this one. Two nodes reject each other if one of them has only a part of the
# volume's description when they connect. A change of the volume then leaves one of them out. They compare it again at
# their next connection. If that is not enough, this new machine takes the description anew, as the others have it.
be_accepted() {
    for description in kept new kept new kept; do
        ! wait_until 10 accepted || return 0
        systemctl stop glusterd
        [ "$description" = kept ] || rm -r "$state/vols/$VOLUME"
        sed -i 's/^state=.*/state=3/' "$state"/peers/*
        systemctl start glusterd
        wait_until 60 knows_volume || break
    done
    accepted || fail "This node and these do not accept each other as peers: ${rejected//$'\n'/ }" \
        "/var/log/glusterfs/glusterd.log on both has the reason." "$(gluster peer status 2>&1)"
}
apply ACCEPTANCE be_accepted

brick_name=$HOST:$BRICK
brick_online() {
    gluster --xml volume status "$VOLUME" "$brick_name" 2>/dev/null | grep -q '<status>1</status>'
}
# new_brick: makes the brick whose content is lost; the heal fills it from the others. replace-brick refuses where this
# glusterd has run the brick before, on another disk; reset-brick refuses where it has not.
new_brick() {
    output=$(gluster volume replace-brick "$VOLUME" "$brick_name" "$brick_name" commit force 2>&1) && return
    [[ $output = *'not available'* ]] || return
    output=$(
        gluster volume reset-brick "$VOLUME" "$brick_name" start 2>&1 &&
            gluster volume reset-brick "$VOLUME" "$brick_name" "$brick_name" commit 2>&1
    )
}
if [ ! -e "$BRICK" ]; then
    # glusterd refuses both while it exchanges volumes with a peer
    wait_until 60 new_brick || fail "The brick $brick_name cannot be made again:" "$output"
elif ! brick_online; then
    gluster volume start "$VOLUME" force >/dev/null
fi
wait_until 60 brick_online || fail "The brick $brick_name is not online after 60 s:" \
    "$(gluster volume status "$VOLUME" 2>&1)" "$(tail -n 20 "/var/log/glusterfs/bricks/${BRICK//\//-}.log" 2>&1)"
