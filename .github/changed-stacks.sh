#!/bin/sh
# POSIX. changed-stacks.sh BASE PATH...: prints as a JSON list the stacks that have changed since the commit BASE: all
# of them if anything under a PATH has changed, otherwise those whose own settings have.
set -eu
base=$1
shift
git rev-parse --quiet --verify "$base^{commit}" >/dev/null || {
    echo "the commit $base is not in this clone: fetch more of the history (fetch-depth)" >&2
    exit 1
}
if git diff --quiet "$base" HEAD -- "$@"; then
    settings=$(git diff --name-only --diff-filter=d "$base" HEAD -- stacks)
else
    settings=$(git ls-files stacks)
fi
echo "$settings" | sed -n 's|^stacks/Pulumi\.\(.*\)\.yaml$|"\1"|p' | paste -sd , - | sed 's/.*/[&]/'
