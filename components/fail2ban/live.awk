# Reads facts, one per line, and prints those that still matter at the time `now` (seconds since 1970): for each address
# its latest unban, and the bans decided after that, without any ban that a later one outlasts. A fact is the name of an
# empty file:
#   banned,ADDRESS,END,DECIDED      END: seconds since 1970; DECIDED: microseconds since 1970
#   unbanned,ADDRESS,END,DECIDED    END: when every ban from before it has ended
# Facts never change, so nodes that have seen the same facts agree, in whatever order and however often they saw them.
BEGIN { FS = "," }
!/^(un)?banned,[0-9a-f:.]+,[0-9]+,[0-9]+$/ || $3 <= now || seen[$0]++ { next }
$1 == "unbanned" && ($4 > unbanned[$2] || $4 == unbanned[$2] && $3 > until[$2]) {
    unban[$2] = $0
    until[$2] = $3
    unbanned[$2] = $4
}
$1 == "banned" { bans[$2] = bans[$2] " " $0 }
END {
    for (address in unban) print unban[address]
    for (address in bans) {
        n = split(bans[address], facts, " ")
        for (i = 1; i <= n; i++) {
            split(facts[i], ban, ",")
            live = ban[4] > unbanned[address]
            for (j = 1; j <= n && live; j++) {
                split(facts[j], other, ",")
                live = j == i || other[3] < ban[3] || other[4] < ban[4]
            }
            if (live) print facts[i]
        }
    }
}
