#!/bin/bash
# keepalived with the configuration CONFIG, which is the same on every network: interfaces are found here. ADDRESS: this
# node's, that it speaks to the other balancers with. VIRTUAL_IP: the address that fails over. Where a cloud moves it:
# FAILOVER, a script, ENVIRONMENT, its environment, and UNIT, which runs it; its secrets come on standard input.
set -euo pipefail

conf=/etc/keepalived/keepalived.conf
wrong=()

# the interfaces that have an address
having() {
    ip -oneline -4 address show to "$1/32" | awk '{ print $2 }'
}

interface=$(having "$ADDRESS")
[ -n "$interface" ] || wrong+=("This machine does not have the address $ADDRESS that the other balancers know it by.")
if [ -z "$FAILOVER" ]; then
    virtual_ip_interface=$(
        ip -4 route show match "$VIRTUAL_IP/32" proto kernel scope link | sed -nE '1s/.* dev ([^ ]+).*/\1/p'
    )
    [ -n "$virtual_ip_interface" ] ||
        wrong+=("$VIRTUAL_IP, which is to fail over, is in no network that this machine has an interface in.")
    if [ -n "$(having "$VIRTUAL_IP")" ] && ! grep -qsF " $VIRTUAL_IP dev " "$conf"; then
        wrong+=("$VIRTUAL_IP, which is to fail over, is this machine's own address.")
    fi
fi
if [ "${#wrong[@]}" -gt 0 ]; then
    printf '%s\n' "${wrong[@]}" >&2
    exit 1
fi

# changed TEXT MODE FILE: writes the file, and says whether it was another
changed() {
    if printf '%s' "$1" | cmp -s - "$3"; then
        return 1
    fi
    mkdir -p "$(dirname "$3")"
    install -m "$2" /dev/null "$3"
    printf '%s' "$1" >"$3"
}

retry='[Service]
Restart=always
RestartSec=1
'
changed "$retry" 644 /etc/systemd/system/keepalived.service.d/retry.conf && reload_units=yes
if [ -n "$FAILOVER" ]; then
    changed "$FAILOVER" 755 /usr/libexec/keepalived/failover && fail_over_again=yes
    changed "$ENVIRONMENT" 600 /etc/keepalived/failover.env && fail_over_again=yes
    changed "$(cat)" 600 /etc/keepalived/failover.secrets && fail_over_again=yes
    changed "$UNIT" 644 /etc/systemd/system/failover.service && reload_units=yes fail_over_again=yes
fi
[ -z "${reload_units-}" ] || systemctl daemon-reload

text=${CONFIG//@INTERFACE@/$interface}
text=${text//@VIRTUAL_IP_INTERFACE@/${virtual_ip_interface-}}
next=$(mktemp)
trap 'rm -f "$next"' EXIT
printf '%s' "$text" >"$next"
output=$(keepalived --config-test --use-file "$next" 2>&1) || {
    echo "$output" >&2
    exit 1
}
changed "$text" 644 "$conf" && reload=yes

systemctl is-enabled --quiet keepalived || systemctl enable --quiet keepalived
if [ -n "${reload-}" ] && systemctl is-active --quiet keepalived; then
    systemctl reload keepalived
fi
systemctl start keepalived
# only on the node that has the address
[ -z "${fail_over_again-}" ] || systemctl try-restart --no-block failover.service

# by this node or another, and be it with a 503
end=$((SECONDS + 60))
until curl --silent --output /dev/null --max-time 2 "http://$VIRTUAL_IP/"; do
    if [ "$SECONDS" -ge "$end" ]; then
        echo "Nobody answers at $VIRTUAL_IP, which fails over between the balancers." >&2
        journalctl --no-pager --lines=20 --unit=keepalived --unit=failover >&2
        exit 1
    fi
    sleep 0.2
done
