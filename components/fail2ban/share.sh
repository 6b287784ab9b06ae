#!/bin/bash
# Exchanges facts about bans between this machine and SHARED, a directory of the volume that every node mounts:
# afterwards both hold every live fact that either of them held (live.awk). So a node that was down gets the facts that
# it missed, and while the volume is unreachable each node works with its own facts. Files on the volume need no service
# of their own, no port and no election: the volume already keeps the nodes consistent.
# If nothing has changed, the script reads only the times of two directories.
set -euo pipefail
export LC_ALL=C
known=/var/lib/ha-wordpress/bans
shared=@SHARED@
run=/run/ha-wordpress

mine=$(stat --format=%y "$known")
volume() {
    timeout --signal=KILL 5 "$@" 2>/dev/null
}
theirs=$(volume stat --format='%U %a %y' "$shared") ||
    theirs=$(volume mkdir -p -m 700 "$shared" && volume stat --format='%U %a %y' "$shared") || theirs=away
due=0 seen=
[ ! -e "$run/shared" ] || read -r due seen <"$run/shared"
[ "$seen" != "$mine $theirs" ] || [ "$EPOCHSECONDS" -ge "$due" ] || exit 0
# another user who could write there could ban any address
[[ "$theirs" =~ ^(root 700 |away$) ]] ||
    echo "$shared is not root's alone ($theirs): bans are not shared. Make it root's, mode 700." >&2

names() {
    volume find "$1" -type f -printf '%f\n' | sort
}
# replace_facts DIRECTORY PRESENT: makes the live facts the only ones in a directory that holds the facts PRESENT. It
# writes several at a time, because each takes a while on the volume, and adds new facts before it removes old ones:
# otherwise a reader in between would find that an address is not banned.
replace_facts() {
    local each=(xargs --no-run-if-empty --max-procs=8 --max-args=20 timeout --signal=KILL 20)
    comm -13 <(echo "$2") <(echo "$live") | (cd "$1" && "${each[@]}" touch --)
    comm -23 <(echo "$2") <(echo "$live") | (cd "$1" && "${each[@]}" rm -f --)
}
here=$(names "$known")
there=
[[ "$theirs" != "root 700 "* ]] || there=$(names "$shared")
live=$(printf '%s\n' "$here" "$there" | awk -v now="$EPOCHSECONDS" -f /usr/local/lib/ha-wordpress/bans-live.awk | sort)
if [ "$here" != "$live" ]; then
    replace_facts "$known" "$here"
    systemctl start --no-block bans-apply.service
fi
[[ "$theirs" != "root 700 "* ]] || [ "$there" = "$live" ] || replace_facts "$shared" "$there"

# the times from before the facts were read: a change since then makes the next run read them again
due=$(awk -F, -v due="$((EPOCHSECONDS + 60))" 'NF && $3 < due { due = $3 } END { print due }' <<<"$live")
echo "$due $mine $theirs" >"$run/shared"
