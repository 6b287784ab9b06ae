#!/bin/sh
# Runs a region in namespaces of its own and, however it ends, removes what the kernel does not remove by itself:
# the empty control groups and the scratch directory.
# Usage: sandbox.sh DIRECTORY CGROUP COMMAND...   (standard input is the pipe that holds the region up)
set -u
directory=$1 cgroup=$2
shift 2
# an interrupt is the region's end, not this script's: it has to outlive the region
trap : INT TERM HUP
# bash is the first process: it reaps what loses its parent
# shellcheck disable=SC2016
unshare --net --mount --pid --fork --kill-child --mount-proc bash -c '"$@"; exit $?' bash "$@"
status=$?
for tree in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    [ ! -d "$tree/$cgroup" ] || find "$tree/$cgroup" -depth -type d -exec rmdir {} +
done
rm -rf -- "$directory"
exit "$status"
