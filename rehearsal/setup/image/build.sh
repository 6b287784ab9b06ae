#!/bin/sh
# POSIX. build.sh DIRECTORY MACHINE PACKAGES SERVICES [SOURCE...]: makes in DIRECTORY the trees `nodes` (Debian 13 with
# the packages MACHINE, which a cloud's image has, and PACKAGES, which steps install later) and `services` (a layer
# above it with SERVICES), and keeps in `archive` the package lists that they came from. Each list of packages is one
# argument, separated by spaces. SOURCE: a line of sources.list; without one, mmdebstrap's own.
# Run it in mount and process namespaces of its own, so that nothing stays mounted when it is killed.
set -eu
directory=$1 machine=$2
here=$(dirname "$(readlink -f "$0")")
export PACKAGES="$3" SERVICES="$4" FILES="$here/files"
shift 4

mkdir "$directory/archive" "$directory/services" "$directory/work" "$directory/both"
mmdebstrap --variant=minbase --include="$machine" \
    --aptopt='Acquire::Languages "none"' --dpkgopt=force-unsafe-io \
    --customize-hook="$here/customize.sh" trixie "$directory/nodes" "$@" >&2
rm -r "$directory/work" "$directory/both"

broken=$(chroot "$directory/nodes" dpkg --audit)
[ -z "$broken" ] || {
    echo "$broken" >&2
    exit 1
}
# shellcheck disable=SC2086 # lists of words
chroot "$directory/nodes" dpkg-query --show $machine $PACKAGES >/dev/null
