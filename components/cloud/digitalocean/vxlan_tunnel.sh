#!/bin/bash
# Makes a VXLAN tunnel between the balancers: the interface "balancers" with the address ADDRESS/16. It sends UDP from
# LOCAL, this node's private address, to REMOTES, the private addresses of the other balancers. At every boot it is up
# before keepalived, which sends VRRP through it.
set -euo pipefail

unit=balancer-link.service
file=/etc/systemd/system/$unit
IFS=. read -ra part <<<"$LOCAL"
# A fixed MAC address: if it changed at a boot, the other balancers would send to the old one until they forget it.
mac=$(printf '02:00:%02x:%02x:%02x:%02x' "${part[@]}")
flood=()
for remote in $REMOTES; do
    flood+=("ExecStart=bridge fdb append 00:00:00:00:00:00 dev balancers dst $remote")
done
write_if_changed "$file" 644 "[Unit]
Description=Link between the balancers
Before=keepalived.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStartPre=-ip link delete balancers
ExecStart=ip link add balancers address $mac type vxlan id 112 local $LOCAL dstport 4789
$(printf '%s\n' "${flood[@]}")
ExecStart=ip address add $ADDRESS/16 dev balancers
ExecStart=ip link set balancers up
ExecStop=ip link delete balancers

[Install]
WantedBy=multi-user.target
" restart_tunnel

is_up() {
    [ -n "$(ip -oneline -4 address show dev balancers to "$ADDRESS/32" up 2>/dev/null)" ]
}

# a restart that fails is reported below, with the unit's log
restart() {
    systemctl restart "$unit" || true
}

systemctl daemon-reload
apply restart_tunnel restart
enable_units "$unit"
is_up || restart
is_up || fail_with_journal "The tunnel between the balancers is not up on this machine:" "$unit"
