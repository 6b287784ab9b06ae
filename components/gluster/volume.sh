#!/bin/bash
# Keeps the volume VOLUME started, with the bricks BRICKS in sets of REPLICA, all of them online, and with OPTIONS:
# lines of a name and a value. METADATA_CACHE: further options, for versions of GlusterFS whose bricks bear them. A brick
# that is new in the settings is added. If the settings no longer name a brick of the volume, the step fails and does not
# remove it, because that brick may hold the only good copy of a file.
set -euo pipefail

gluster() {
    command gluster --mode=script "$@"
}

# flat: gluster's XML from standard input as one line, without spaces between the tags.
flat() {
    tr '\n' ' ' | sed 's/> *</></g'
}

read -ra all_bricks <<<"$BRICKS"
read -ra copies <<<"$REPLICA"

# if there is no volume, gluster prints a message on standard error instead of a list
if ! gluster volume list 2>/dev/null | grep -qxF "$VOLUME"; then
    # without `force`, every node refuses a brick that belongs or belonged to a volume
    gluster volume create "$VOLUME" "${copies[@]}" transport tcp "${all_bricks[@]}" >/dev/null
fi

info=$(gluster --xml volume info "$VOLUME" | flat)
present=$(grep -o '<brick uuid="[^"]*">[^<]*' <<<"$info" | sed 's/.*>//' | sort)
wanted=$(printf '%s\n' "${all_bricks[@]}" | sort)
gone=$(comm -23 <(echo "$present") <(echo "$wanted") | xargs)
[ -z "$gone" ] || fail "Volume $VOLUME has bricks that the settings do not name: $gone" \
    "Nothing was changed. Replace or remove a brick by hand when nothing is left to heal; see gluster(8)."
mapfile -t new < <(comm -13 <(echo "$present") <(echo "$wanted"))
if [ "${#new[@]}" -gt 0 ]; then
    # does not wait for the heal: the brick serves as soon as it is online, and the other bricks fill it
    gluster volume add-brick "$VOLUME" "${copies[@]}" "${new[@]}" >/dev/null
fi

# bears_metadata_cache: whether bricks of this node's version do not crash when they report a change to a client
# (https://github.com/gluster/glusterfs/issues/4255), and no peer has an older release: max-op-version is the lowest
# that any peer supports.
bears_metadata_cache() {
    local version op_version
    version=$(gluster --version | awk 'NR == 1 { print $2 }')
    op_version=$(gluster volume get all cluster.max-op-version | awk '$1 == "cluster.max-op-version" { print $2 }')
    printf '%s\n' 10.5 "$version" | sort --check=quiet --version-sort &&
        [[ $version != 11.0* && $op_version -ge ${version%%.*}0000 ]]
}
if [ -n "$METADATA_CACHE" ] && bears_metadata_cache; then
    OPTIONS+=$'\n'$METADATA_CACHE
fi

# TLS: options that a volume which has started without them must not get, as its clients could no longer connect
if [ -n "$TLS" ]; then
    case $info in
        *'<statusStr>Created</statusStr>'* | *'<name>server.ssl</name><value>on</value>'*) OPTIONS+=$'\n'$TLS ;;
    esac
fi

# Set before the start: a mounted client learns of a new ping timeout only after the old one has passed.
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

paths=$(printf '%s|' "${all_bricks[@]#*:}")
all_online() {
    local count
    count=$(gluster --xml volume status "$VOLUME" | flat | sed 's/<node>/\n&/g' |
        grep -cE "<path>(${paths%|})</path>.*<status>1</status>")
    [ "$count" -eq "${#all_bricks[@]}" ]
}
wait_until 90 all_online || fail "Not all ${#all_bricks[@]} bricks of $VOLUME are online after 90 s:" \
    "$(gluster volume status "$VOLUME" 2>&1)"
