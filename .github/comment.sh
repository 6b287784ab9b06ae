#!/bin/sh
# POSIX. comment.sh PULL_REQUEST FILE: makes FILE a comment on a pull request. One that begins with the same line is
# written over, so that a branch that is pushed again does not fill the page.
# Needs what a workflow has: gh, GITHUB_REPOSITORY and, with the right to write, GH_TOKEN.
set -eu
comments=repos/$GITHUB_REPOSITORY/issues/$1/comments file=$2
FIRST=$(head -n 1 "$file")
export FIRST
old=$(timeout 60 gh api --paginate "$comments" --jq '.[] | select(.body | split("\n")[0] | rtrimstr("\r") == env.FIRST) | .id')
if [ -n "$old" ]; then
    set -- --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$(echo "$old" | head -n 1)"
else
    set -- --method POST "$comments"
fi
written=$(timeout 60 gh api "$@" --field "body=@$file" --jq .html_url)
echo "written: $written"
