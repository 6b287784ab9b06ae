#!/bin/bash
# keepalived with the configuration CONFIG, in which this step fills in the interfaces. ADDRESS: this node's address
# towards the other balancers. VIRTUAL_IP: the address that fails over. FAILOVER: the script that moves the address in a
# cloud; ENVIRONMENT: its environment; UNIT: the systemd unit that runs it. All three are empty where keepalived holds
# the address itself. The script's secrets come on standard input. RESTART: a drop-in of keepalived's service.
set -euo pipefail

conf=/etc/keepalived/keepalived.conf
wrong=()

# interface_with ADDRESS: prints the interface that has the address.
interface_with() {
    ip -oneline -4 address show to "$1/32" | awk '{ print $2 }'
}

interface=$(interface_with "$ADDRESS")
[ -n "$interface" ] ||
    wrong+=("This machine does not have the address $ADDRESS, to which the other balancers send VRRP. Correct it.")
if [ -z "$FAILOVER" ]; then
    virtual_ip_interface=$(
        ip -4 route show match "$VIRTUAL_IP/32" proto kernel scope link | sed -nE '1s/.* dev ([^ ]+).*/\1/p'
    )
    [ -n "$virtual_ip_interface" ] || wrong+=("The virtual IP $VIRTUAL_IP is in no network of this machine's \
interfaces: choose an address in one of those networks.")
    if [ -n "$(interface_with "$VIRTUAL_IP")" ] && ! grep -qsF " $VIRTUAL_IP dev " "$conf"; then
        wrong+=("The virtual IP $VIRTUAL_IP is this machine's own address: choose one that no machine has.")
    fi
fi
[ "${#wrong[@]}" -eq 0 ] || fail "${wrong[@]}"

text=${CONFIG//@INTERFACE@/$interface}
text=${text//@VIRTUAL_IP_INTERFACE@/${virtual_ip_interface-}}
next=$(mktemp)
trap 'rm -f "$next"' EXIT
printf '%s' "$text" >"$next"
run_or_undo keepalived --config-test --use-file "$next"

write_if_changed /etc/systemd/system/keepalived.service.d/retry.conf 644 "$RESTART"
if [ -n "$FAILOVER" ]; then
    write_if_changed /usr/libexec/keepalived/failover 755 "$FAILOVER" fail_over_again
    write_if_changed /etc/keepalived/failover.env 600 "$ENVIRONMENT" fail_over_again
    write_if_changed /etc/keepalived/failover.secrets 600 "$(cat)" fail_over_again
    write_if_changed /etc/systemd/system/failover.service 644 "$UNIT" fail_over_again
fi
systemctl daemon-reload
write_if_changed "$conf" 644 "$text" reload_keepalived

enable_units keepalived
apply reload_keepalived systemctl try-reload-or-restart keepalived
systemctl start keepalived
# does nothing on a node that does not have the address
apply fail_over_again systemctl try-restart --no-block failover.service

# answers: whether a balancer, this one or another, answers at the virtual IP with any status.
answers() {
    curl --silent --output /dev/null --max-time 2 "http://$VIRTUAL_IP/"
}
wait_until 60 answers ||
    fail_with_journal "No balancer answers at $VIRTUAL_IP, the address that fails over:" keepalived failover
