#!/bin/bash
# Assigns the reserved IP ADDRESS to DROPLET, which is this droplet, and waits until it is assigned. LIMIT: seconds
# until it gives up. API: another address of DigitalOcean's API. TOKEN, for that API, comes on standard input. Source:
# the API's reference, "Reserved IPs" and "Reserved IP Actions".
set -euo pipefail
eval "$(cat)"

API=${API:-https://api.digitalocean.com}
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# request [OPTION...] URL: prints the status of the answer, 000 where there is none, and leaves its body in $answer. The
# token is in no argument, as any user may read those.
request() {
    curl --silent --output "$answer" --write-out '%{http_code}' --max-time 5 \
        --header @<(printf 'Authorization: Bearer %s\n' "$TOKEN") --header 'Content-Type: application/json' "$@" || true
}

# holder: prints the droplet in the answer that has the address.
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
        # 201 means that the assignment has begun, 422 may mean that another one has
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
