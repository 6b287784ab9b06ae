#!/bin/bash
# Exchanges facts about bans between this machine and SHARED, a directory of the volume that every node mounts:
# afterwards both hold every live fact that either of them held (live.py). So a node that was down gets the facts that
# it missed, and while the volume is unreachable each node works with its own facts. Files on the volume need no service
# of their own, no port and no election: the volume already keeps the nodes consistent.
# If nothing has changed, the script reads only the times of two directories.
set -euo pipefail
export LC_ALL=C
known=/var/lib/ha-wordpress/bans
shared=@SHARED@
run=/run/ha-wordpress

# in_shared SECONDS COMMAND...: runs the command inside the shared directory. PHP's user owns the directories above it,
# and could replace one between a check of the path and its use: so a shell enters the directory, and checks the one
# that it has entered. It must be root's alone, and on the volume. Returns 1 if it cannot be entered, 3 if it is
# another user's.
in_shared() {
    # shellcheck disable=SC2016 # the variables are those of the shell that timeout starts
    timeout --signal=KILL "$1" bash -c '
        cd -P "$1/.ha-wordpress/bans" || exit 1
        [ "$(stat --format="%u %a %d" .)" = "0 700 $(stat --format=%d "$1")" ] || exit 3
        "${@:2}"' in_shared "${shared%/.ha-wordpress/bans}" "${@:2}" 2>/dev/null
}
# create_shared: creates the shared directory, in the same way. Returns 3 if a file or a link is in its place.
create_shared() {
    # shellcheck disable=SC2016 # as above
    timeout --signal=KILL 5 bash -c '
        cd -P "$1" && mkdir -p .ha-wordpress && cd -P .ha-wordpress || exit 1
        [ "$(stat --format=%d .)" = "$(stat --format=%d "$1")" ] || exit 3
        [ ! -L bans ] && { [ -d bans ] || [ ! -e bans ]; } || exit 3
        umask 077 && mkdir bans' create_shared "${shared%/.ha-wordpress/bans}" 2>/dev/null
}
shared_time() {
    in_shared 5 stat --format=%y .
}

mine=$(stat --format=%y "$known")
status=0
theirs=$(shared_time) || status=$?
if [ "$status" = 1 ]; then
    status=0
    theirs=$(create_shared && shared_time) || status=$?
fi
[ "$status" = 0 ] || theirs=away
[ "$status" != 3 ] || theirs=foreign
due=0 seen=
[ ! -e "$run/shared" ] || read -r due seen <"$run/shared"
[ "$seen" != "$mine $theirs" ] || [ "$EPOCHSECONDS" -ge "$due" ] || exit 0
# another user who could write there could ban any address
[ "$theirs" != foreign ] || [[ "$seen" == *" foreign" ]] ||
    echo "$shared is not root's alone, or not on the volume: bans are not shared. Remove it; it is then created." >&2

# names [COMMAND...]: the names of the files in a directory, at most twice as many as are kept (live.py).
names() {
    "$@" find . -maxdepth 1 -type f -printf '%f\n' | sed -n 1,20000p | sort
}
in_known() {
    (cd "$known" && "$@")
}
# replace_facts PRESENT COMMAND...: makes the live facts the only ones in a directory that holds the facts PRESENT; the
# command runs another one inside it. It writes several at a time, because each takes a while on the volume, and adds
# new facts before it removes old ones: otherwise a reader in between would find that an address is not banned.
replace_facts() {
    local each=(xargs --no-run-if-empty --delimiter='\n' --max-procs=8 --max-args=20)
    comm -13 <(echo "$1") <(echo "$live") | "${@:2}" "${each[@]}" touch --
    comm -23 <(echo "$1") <(echo "$live") | "${@:2}" "${each[@]}" rm -f --
}
here=$(names in_known)
there=
[[ "$theirs" == @(away|foreign) ]] || there=$(names in_shared 5)
live=$(printf '%s\n' "$here" "$there" | /usr/local/lib/ha-wordpress/bans-live "$EPOCHSECONDS")
if [ "$here" != "$live" ]; then
    replace_facts "$here" in_known
    systemctl start --no-block bans-apply.service
fi
[[ "$theirs" == @(away|foreign) ]] || [ "$there" = "$live" ] || replace_facts "$there" in_shared 20

# the times from before the facts were read: a change since then makes the next run read them again
due=$(awk -F, -v due="$((EPOCHSECONDS + 60))" 'NF && $3 < due { due = $3 } END { print due }' <<<"$live")
echo "$due $mine $theirs" >"$run/shared"
