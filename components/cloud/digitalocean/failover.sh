#!/bin/bash
# Assigns the reserved IP ADDRESS to the droplet DROPLET, this one, and waits until it is there. TOKEN, of DigitalOcean's
# API, comes on standard input. Source: the API's reference, "Reserved IPs" and "Reserved IP Actions".
set -euo pipefail
eval "$(cat)"

API=${API:-https://api.digitalocean.com}
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# ask [OPTION...] URL: prints the status, 000 where there is none, and leaves the body in $answer; the token is in no
# argument, as any user may read those
ask() {
    curl --silent --output "$answer" --write-out '%{http_code}' --max-time 5 \
        --header @<(printf 'Authorization: Bearer %s\n' "$TOKEN") --header 'Content-Type: application/json' "$@" || true
}

holder() {
    python3 -c 'import json, sys; print((json.load(sys.stdin)["reserved_ip"]["droplet"] or {}).get("id", "nobody"))' \
        <"$answer"
}

end=$((SECONDS + ${LIMIT:-60}))
output=nothing
while [ "$SECONDS" -lt "$end" ]; do
    status=$(ask "$API/v2/reserved_ips/$ADDRESS")
    if [ "$status" = 200 ]; then
        [ "$(holder)" != "$DROPLET" ] || exit 0
        # 201 only says that the move is under way, 422 also that another one is
        status=$(ask --data "{\"type\": \"assign\", \"droplet_id\": $DROPLET}" "$API/v2/reserved_ips/$ADDRESS/actions")
    fi
    output="$status $(head -c 500 "$answer")"
    case $status in
        401 | 403 | 404)
            echo "DigitalOcean refuses to move $ADDRESS to droplet $DROPLET: $output" >&2
            exit 1
            ;;
    esac
    sleep 1
done
echo "$ADDRESS did not come to droplet $DROPLET within ${LIMIT:-60} s; DigitalOcean's last answer: $output" >&2
exit 1
