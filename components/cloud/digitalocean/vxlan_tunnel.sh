#!/bin/bash
# A link between the balancers alone, "balancers": VXLAN over UDP from LOCAL, this node's private address, to REMOTES,
# the others', with ADDRESS of a /16 on it. It comes back at every boot, before keepalived, whose VRRP goes through it.
set -euo pipefail

unit=balancer-link.service
file=/etc/systemd/system/$unit
IFS=. read -ra part <<<"$LOCAL"
# the same at every boot: the others would go on speaking to the old one for as long as they remember it
hardware=$(printf '02:00:%02x:%02x:%02x:%02x' "${part[@]}")
flood=()
for remote in $REMOTES; do
    flood+=("ExecStart=bridge fdb append 00:00:00:00:00:00 dev balancers dst $remote")
done
wanted=$(
    cat <<UNIT
[Unit]
Description=Link between the balancers
Before=keepalived.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStartPre=-ip link delete balancers
ExecStart=ip link add balancers address $hardware type vxlan id 112 local $LOCAL dstport 4789
$(printf '%s\n' "${flood[@]}")
ExecStart=ip address add $ADDRESS/16 dev balancers
ExecStart=ip link set balancers up
ExecStop=ip link delete balancers

[Install]
WantedBy=multi-user.target
UNIT
)

stands() {
    [ -n "$(ip -oneline -4 address show dev balancers to "$ADDRESS/32" up 2>/dev/null)" ]
}

if [ "$wanted" != "$(cat "$file" 2>/dev/null)" ]; then
    printf '%s\n' "$wanted" >"$file"
    systemctl daemon-reload
    systemctl enable --quiet "$unit"
    systemctl restart "$unit" || true
fi
stands || systemctl restart "$unit" || true
stands || {
    echo "The link between the balancers does not stand:" >&2
    journalctl --no-pager --lines=10 --unit="$unit" >&2
    exit 1
}
