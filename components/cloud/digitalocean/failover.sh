#!/bin/bash
# Assigns the reserved IP ADDRESS to DROPLET, which is this droplet, and waits until it is assigned. LIMIT: seconds
# until the script gives up, by default 60. API: URL of DigitalOcean's API, if it is not the public one. TOKEN, for that
# API, comes on standard input. Source: the API's reference, "Reserved IPs" and "Reserved IP Actions".
set -euo pipefail
eval "$(cat)"

API=${API:-https://api.digitalocean.com}
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# request [OPTION...] URL: prints the HTTP status, 000 without an answer, and leaves the body in $answer. The token is
# not an argument, because any user can read the arguments of a process.
request() {
    curl --silent --output "$answer" --write-out '%{http_code}' --max-time 5 \
        --header @<(printf 'Authorization: Bearer %s\n' "$TOKEN") --header 'Content-Type: application/json' "$@" || true
}

# holder: prints the id of the droplet that has the address, from the body in $answer, or the word none.
holder() {
    python3 -c 'import json, sys; print((json.load(sys.stdin)["reserved_ip"]["droplet"] or {}).get("id", "none"))' \
        <"$answer"
}

end=$((SECONDS + ${LIMIT:-60}))
last=none
while [ "$SECONDS" -lt "$end" ]; do
    status=$(request "$API/v2/reserved_ips/$ADDRESS")
    if [ "$status" = 200 ]; then
        [ "$(holder)" != "$DROPLET" ] || exit 0
        # 201: the assignment has begun; 422: an earlier assignment may still be running
        status=$(request --data "{\"type\": \"assign\", \"droplet_id\": $DROPLET}" \
            "$API/v2/reserved_ips/$ADDRESS/actions")
    fi
    last="$status $(head -c 500 "$answer")"
    case $status in
        401 | 403 | 404)
            echo "DigitalOcean refuses to assign $ADDRESS to droplet $DROPLET; check the token: $last" >&2
            exit 1
            ;;
    esac
    sleep 1
done
echo "DigitalOcean did not assign $ADDRESS to droplet $DROPLET within ${LIMIT:-60} s; its last answer: $last" >&2
exit 1
