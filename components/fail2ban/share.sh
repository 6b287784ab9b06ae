#!/bin/bash
# Makes the facts that this machine knows and those in SHARED, a directory of the volume that every node has, the same:
# all that either holds, as far as it still says something (live.awk). So a node that was away learns what it missed,
# whichever way the others went meanwhile, and while the volume is away each goes on with what it knows. Files on the
# volume, as that is what the nodes agree by already: no service of our own, no port, nobody to elect.
# Looks at no more than two directories' times while nothing has changed.
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
# whoever else could write there could ban anybody
[[ "$theirs" =~ ^(root 700 |away$) ]] || echo "$shared is not root's alone ($theirs): bans are not shared." >&2

names() {
    volume find "$1" -type f -printf '%f\n' | sort
}
# become DIRECTORY HAS: from the facts that a directory has to those that are live; several at a time, as the volume
# takes its time for each. None goes before what outlasts it has come: to a reader in between, nobody would be banned.
become() {
    local each=(xargs --no-run-if-empty --max-procs=8 --max-args=20 timeout --signal=KILL 20)
    comm -13 <(echo "$2") <(echo "$live") | (cd "$1" && "${each[@]}" touch --)
    comm -23 <(echo "$2") <(echo "$live") | (cd "$1" && "${each[@]}" rm -f --)
}
here=$(names "$known")
there=
[[ "$theirs" != "root 700 "* ]] || there=$(names "$shared")
live=$(printf '%s\n' "$here" "$there" | awk -v now="$EPOCHSECONDS" -f /usr/local/lib/ha-wordpress/bans-live.awk | sort)
if [ "$here" != "$live" ]; then
    become "$known" "$here"
    systemctl start --no-block bans-apply.service
fi
[[ "$theirs" != "root 700 "* ]] || [ "$there" = "$live" ] || become "$shared" "$there"

# what was seen before the facts were read; with what has changed since, once more
due=$(awk -F, -v due="$((EPOCHSECONDS + 60))" 'NF && $3 < due { due = $3 } END { print due }' <<<"$live")
echo "$due $mine $theirs" >"$run/shared"
