#!/bin/sh
# POSIX. build.sh DIRECTORY PACKAGES SERVICES [SOURCE…]: makes in DIRECTORY the trees `nodes` (a Debian 12 cloud
# machine with the comma-separated PACKAGES) and `services` (a layer above it with SERVICES), and keeps in
# `archive` what they came from. SOURCE: a line of sources.list; without one, mmdebstrap's own.
# Runs in mount and process namespaces of its own, so that nothing stays mounted when it is killed.
set -eu
directory=$1 packages=$2
here=$(dirname "$(readlink -f "$0")")
export SERVICES="$3" FILES="$here/files"
shift 3

mkdir "$directory/archive" "$directory/services" "$directory/work" "$directory/both"
mmdebstrap --variant=minbase --include="$packages" \
  --aptopt='Acquire::Languages "none"' --dpkgopt=force-unsafe-io \
  --customize-hook="$here/customize.sh" bookworm "$directory/nodes" "$@" >&2
rm -r "$directory/work" "$directory/both"

broken=$(chroot "$directory/nodes" dpkg --audit)
[ -z "$broken" ] || {
  echo "$broken" >&2
  exit 1
}
echo "$packages" | tr , '\n' | xargs chroot "$directory/nodes" dpkg-query --show >/dev/null
