#!/bin/sh
# POSIX. preview-comments.sh: writes the comments that a run of the workflow Preview stored to its pull request.
# Needs gh, with the rights to read the run and to comment; GITHUB_REPOSITORY; and from the workflow_run event RUN, the
# run's id, and HEAD_OWNER, HEAD_BRANCH and HEAD_SHA, the pull request's head.
# It looks the pull request up: the code of a fork wrote the files, which must not choose where they go.
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
    # the first line says which comment is written over: it must be one of these previews', and this stack's
    if [ "$(head -n 1 "$file")" != "#### What this change does to \`$stack\`, on stand-ins" ]; then
        echo "$stack: comment.md begins with another line than a preview does; passed over" >&2
        continue
    fi
    if [ "$(wc -m <"$file")" -gt "$LIMIT" ]; then
        echo "$stack: comment.md is longer than $LIMIT characters; passed over" >&2
        continue
    fi
    "$here/comment.sh" "$pull_request" "$file"
done
