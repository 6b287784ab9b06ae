#!/bin/sh
# POSIX. preview-comments.sh: writes the comments that a run of the workflow Preview stored to its pull request.
# Needs gh, with the rights to read the run and to comment; GITHUB_REPOSITORY; and from the workflow_run event RUN, the
# run's id, and HEAD_OWNER, HEAD_BRANCH and HEAD_SHA, the pull request's head.
# It finds the pull request by its head. A fork's code wrote the files, so they must not choose the pull request.
set -eu
here=$(dirname "$0")
LIMIT=64000 # characters that a comment may have, with room below GitHub's 65,536

export HEAD_SHA
pull_request=$(timeout 60 gh api --method GET "repos/$GITHUB_REPOSITORY/pulls" --field state=open \
    --field "head=$HEAD_OWNER:$HEAD_BRANCH" --jq '[.[] | select(.head.sha == env.HEAD_SHA) | .number] | first // empty')
if [ -z "$pull_request" ]; then
    echo "no open pull request has the head $HEAD_SHA: it was pushed again or closed; nothing to do"
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
timeout 120 gh run download "$RUN" --repo "$GITHUB_REPOSITORY" --pattern 'preview-*' --dir "$work" || {
    echo "the run $RUN has stored no comment; nothing to do"
    exit 0
}
for directory in "$work"/preview-*; do
    file=$directory/comment.md stack=${directory##*/preview-}
    if [ -L "$file" ] || [ ! -f "$file" ]; then
        echo "$stack: there is no file comment.md; passed over" >&2
        continue
    fi
    # comment.sh replaces the comment with the same first line, which must therefore be the title of this stack's preview
    if [ "$(head -n 1 "$file")" != "#### What this change does to \`$stack\`, on stand-ins" ]; then
        echo "$stack: the first line of comment.md is not the title of this stack's preview; passed over" >&2
        continue
    fi
    if [ "$(wc -m <"$file")" -gt "$LIMIT" ]; then
        echo "$stack: comment.md is longer than $LIMIT characters; passed over" >&2
        continue
    fi
    "$here/comment.sh" "$pull_request" "$file"
done
