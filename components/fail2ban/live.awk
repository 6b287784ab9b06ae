# Of facts, one a line, those that still say something at the time `now` (seconds since 1970): per address its latest
# unban, and the ban that ends last of those decided after it. A fact is the name of an empty file:
#   banned,ADDRESS,END,DECIDED      END: seconds since 1970; DECIDED: microseconds since 1970
#   unbanned,ADDRESS,END,DECIDED    END: when nothing remembers a ban from before it any more
# Facts never change, so that nodes which have seen the same facts, in whatever order, agree.
BEGIN { FS = "," }
!/^(un)?banned,[0-9a-f:.]+,[0-9]+,[0-9]+$/ || $3 <= now { next }
$1 == "unbanned" && $4 > unbanned[$2] { unbanned[$2] = $4; unban[$2] = $0 }
$1 == "banned" { bans[$0] }
END {
    for (fact in bans) {
        split(fact, part, ",")
        address = part[2]
        if (part[4] > unbanned[address] && (part[3] > end[address] || part[3] == end[address] && fact > ban[address])) {
            end[address] = part[3]
            ban[address] = fact
        }
    }
    for (address in unban) print unban[address]
    for (address in ban) print ban[address]
}
