#!/bin/sh
# POSIX. comment.sh PULL_REQUEST FILE: posts FILE as a comment on a pull request. It replaces a comment that begins with
# the same line, so that each push updates one comment.
# Needs gh, GITHUB_REPOSITORY, and GH_TOKEN with the right to write, as in a workflow.
set -eu
comments=repos/$GITHUB_REPOSITORY/issues/$1/comments file=$2
FIRST=$(head -n 1 "$file")
export FIRST
old=$(timeout 60 gh api --paginate "$comments" \
    --jq '.[] | select(.body | split("\n")[0] | rtrimstr("\r") == env.FIRST) | .id')
if [ -n "$old" ]; then
    set -- --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$(echo "$old" | head -n 1)"
else
    set -- --method POST "$comments"
fi
written=$(timeout 60 gh api "$@" --field "body=@$file" --jq .html_url)
echo "Wrote $written"
