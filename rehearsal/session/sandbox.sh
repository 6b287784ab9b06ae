#!/bin/sh
# POSIX. sandbox.sh DIRECTORY CGROUP COMMAND...: runs a region in namespaces of its own and, however it ends, removes
# what the kernel does not remove by itself: the empty control groups and the scratch directory. The region runs until
# the other end of standard input, a pipe, is closed.
#
# While any region runs, root may have INSTANCES inotify instances. A machine's systemd and services take a dozen or more
# of the host's, and its boot stops halfway when none is left; the kernel's default is 128.
set -u
directory=$1 cgroup=$2
shift 2
INSTANCES=1024
limit=/proc/sys/fs/inotify/max_user_instances
# Every region holds this file locked for reading: who can lock it for writing is the last. It holds the limit before.
exec 8>>"$(dirname "$directory")/inotify-limit"
before=/proc/self/fd/8
flock --shared 8
if [ "$(cat "$limit")" -lt "$INSTANCES" ]; then
    cat "$limit" >"$before"
    if ! echo "$INSTANCES" >"$limit"; then
        echo "$limit cannot be raised: run \`sysctl fs.inotify.max_user_instances=$INSTANCES\`" >&2
        exit 1
    fi
fi
# an interrupt ends the region, but not this script, which cleans up afterwards
trap : INT TERM HUP
# bash is the first process: it reaps orphaned processes
# shellcheck disable=SC2016
unshare --net --mount --pid --fork --kill-child --mount-proc bash -c '"$@"; exit $?' bash "$@" 8>&-
status=$?
for tree in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    [ ! -d "$tree/$cgroup" ] || find "$tree/$cgroup" -depth -type d -exec rmdir {} +
done
rm -rf -- "$directory"
if flock --nonblock --exclusive 8 && [ -s "$before" ]; then
    cat "$before" >"$limit"
    : >"$before"
fi
exit "$status"
