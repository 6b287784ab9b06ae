#!/bin/sh
# POSIX. sandbox.sh DIRECTORY CGROUP COMMAND...: runs a region in namespaces of its own and, however it ends, removes
# what the kernel does not remove by itself: the empty control groups and the scratch directory. The region runs until
# the other end of standard input, a pipe, is closed.
set -u
directory=$1 cgroup=$2
shift 2
# an interrupt ends the region, but not this script, which cleans up afterwards
trap : INT TERM HUP
# bash is the first process: it reaps orphaned processes
# shellcheck disable=SC2016
unshare --net --mount --pid --fork --kill-child --mount-proc bash -c '"$@"; exit $?' bash "$@"
status=$?
for tree in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    [ ! -d "$tree/$cgroup" ] || find "$tree/$cgroup" -depth -type d -exec rmdir {} +
done
rm -rf -- "$directory"
exit "$status"
