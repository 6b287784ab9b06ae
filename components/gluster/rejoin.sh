#!/bin/bash
# If this machine replaces a lost one, gives it the lost node's identity in the pool and its brick. HOST: the node's host
# name. OTHERS: host names of the other nodes. VOLUME: the volume's name. BRICK: the brick's directory. CLIENTS: address
# range that may mount the volume. A node that the pool does not know stays as it is: it is new.
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
# admit_clients: sets auth.allow, to which replace-brick and reset-brick have each node add the names of the others. With
# different values two nodes reject each other when one of them starts again.
set_clients() {
    output=$(gluster volume set "$VOLUME" auth.allow "$CLIENTS" 2>&1)
}
admit_clients() {
    wait_until 60 set_clients || fail "auth.allow of the volume $VOLUME cannot be set to $CLIENTS:" "$output"
}
if [ ! -e "$BRICK" ]; then
    set_pending CLIENTS_ADMITTED
    # glusterd refuses both while it exchanges volumes with a peer
    wait_until 60 new_brick || fail "The brick $brick_name cannot be made again:" "$output"
elif ! brick_online; then
    gluster volume start "$VOLUME" force >/dev/null
fi
wait_until 60 brick_online || fail "The brick $brick_name is not online after 60 s:" \
    "$(gluster volume status "$VOLUME" 2>&1)" "$(tail -n 20 "/var/log/glusterfs/bricks/${BRICK//\//-}.log" 2>&1)"
apply CLIENTS_ADMITTED admit_clients
