#!/bin/bash
# Keeps VOLUME: bricks BRICKS in sets of REPLICA, with OPTIONS, lines of a name and a value; started, all bricks online.
# A brick that comes to the settings is added; one that goes from them is refused, as it may hold the only good copy.
set -euo pipefail

gluster() {
    command gluster --mode=script "$@"
}

# gluster's XML on one line, without spaces between the tags
flat() {
    tr '\n' ' ' | sed 's/> *</></g'
}

read -ra each <<<"$BRICKS"
read -ra kind <<<"$REPLICA"

# where there is none, it says so on standard error
if ! gluster volume list 2>/dev/null | grep -qxF "$VOLUME"; then
    # without `force`, gluster refuses bricks that belong or belonged to a volume, on every node
    gluster volume create "$VOLUME" "${kind[@]}" transport tcp "${each[@]}" >/dev/null
fi

info=$(gluster --xml volume info "$VOLUME" | flat)
present=$(grep -o '<brick uuid="[^"]*">[^<]*' <<<"$info" | sed 's/.*>//' | sort)
wanted=$(printf '%s\n' "${each[@]}" | sort)
gone=$(comm -23 <(echo "$present") <(echo "$wanted") | xargs)
if [ -n "$gone" ]; then
    echo "Volume $VOLUME has bricks that the settings do not name: $gone" >&2
    echo "Nothing was changed. Replace or remove a brick by hand, when nothing is left to heal; see gluster(8)." >&2
    exit 1
fi
mapfile -t new < <(comm -13 <(echo "$present") <(echo "$wanted"))
if [ "${#new[@]}" -gt 0 ]; then
    # the others fill it, which is not waited for: it serves as soon as it is online
    gluster volume add-brick "$VOLUME" "${kind[@]}" "${new[@]}" >/dev/null
fi

# Before the start, as a change of the ping timeout reaches a mounted client only after its old one has passed.
changed=()
while read -r name value; do
    case $info in
        *"<name>$name</name><value>$value</value>"*) ;;
        *) changed+=("$name" "$value") ;;
    esac
done <<<"$OPTIONS"
if [ "${#changed[@]}" -gt 0 ]; then
    gluster volume set "$VOLUME" "${changed[@]}" >/dev/null
fi

case $info in
    *'<statusStr>Started</statusStr>'*) ;;
    *) gluster volume start "$VOLUME" >/dev/null ;;
esac

paths=$(printf '%s|' "${each[@]#*:}")
online() {
    gluster --xml volume status "$VOLUME" | flat | sed 's/<node>/\n&/g' |
        grep -cE "<path>(${paths%|})</path>.*<status>1</status>" || true
}

end=$((SECONDS + 90))
until [ "$(online)" -eq "${#each[@]}" ]; do
    if [ "$SECONDS" -ge "$end" ]; then
        echo "Not all ${#each[@]} bricks of $VOLUME are online:" >&2
        gluster volume status "$VOLUME" >&2
        exit 1
    fi
    sleep 0.2
done
