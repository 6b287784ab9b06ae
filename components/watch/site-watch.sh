#!/bin/bash
# Says how this node is: writes its figures for Prometheus, and mails each trouble that lasts @LASTING@ s, once, and again
# when it is over. The nodes share the troubles of peers, bricks and heals: of the nodes that are connected, the one whose
# name is first mails them. Mail that no server takes stays in the outbox until one does.
set -euo pipefail
export LC_ALL=C TZ=UTC

host=@HOST@
volume=@VOLUME@
brick=@BRICK@
urls=@URLS@
from=@FROM@
to=@TO@
full=@FULL@
certificate_days=@CERTIFICATE_DAYS@
# mailed: the troubles that were mailed and are not over yet
state=/var/lib/ha-wordpress/watch
# seen: the troubles that have not lasted long enough; a reboot begins anew
run=/run/ha-wordpress/watch
figures=/var/lib/prometheus/node-exporter/ha-wordpress.prom

now=$(date +%s)
mkdir -p "$state/outbox" "$run/new" "${figures%/*}"
touch "$state/mailed" "$run/seen"
: >"$run/new/troubles"
: >"$run/new/figures"

# trouble KIND TEXT: KIND is own or shared; a number at the end of TEXT may change while the trouble lasts.
trouble() {
    printf '%s\t%s\n' "$1" "$2" >>"$run/new/troubles"
}

# figure NAME VALUE [LABELS]
figure() {
    printf 'ha_wordpress_%s%s %s\n' "$1" "${3:+{$3\}}" "$2" >>"$run/new/figures"
}

# lacks VOLUME URLS: prints what the node lacks, by the check of the turns (components/roll/check.sh).
lacks() {
    env VOLUME="$1" URLS="$2" HEALED=yes RETURNED= IN_SERVICE= timeout 90 /usr/local/lib/ha-wordpress/check ||
        echo "the check of ${1:-$2} failed or took over 90 s: its state is unknown"
}

check_duties() {
    local line
    [ -n "$urls" ] || return 0
    while read -r line; do
        [ -z "$line" ] || trouble own "$line"
    done <<<"$(lacks '' "$urls")"
}

check_mounts() {
    local path readable
    while read -r path; do
        readable=0
        if ! awk -v path="$path" '$2 == path && $3 == "fuse.glusterfs" { found = 1 } END { exit !found }' /proc/self/mounts; then
            trouble own "$path is not mounted"
        elif timeout --signal=KILL 10 stat --file-system "$path" >/dev/null 2>&1; then
            readable=1
        else
            trouble own "$path cannot be read"
        fi
        figure mount_readable "$readable" "path=\"$path\""
    done < <(awk '$3 == "glusterfs" { print $2 }' /etc/fstab)
}

check_disks() {
    local path space inodes
    while read -r path space inodes; do
        figure disk_used_percent "$space" "path=\"$path\""
        [ "$space" -lt "$full" ] || trouble own "disk of $path is full to percent: $space"
        # btrfs makes inodes as it needs them
        [ "$inodes" != - ] || continue
        figure inodes_used_percent "$inodes" "path=\"$path\""
        [ "$inodes" -lt "$full" ] || trouble own "inodes of $path are used to percent: $inodes"
    done < <(timeout 10 df --output=target,pcent,ipcent / ${brick:+"$brick"} 2>/dev/null | sed '1d; s/%//g' | sort -u)
}

check_units() {
    local failed unit
    failed=$(systemctl list-units --state=failed --plain --no-legend | awk '{ print $1 }')
    for unit in $failed; do
        trouble own "$unit has failed"
    done
    figure units_failed "$(wc -w <<<"$failed")"
}

check_certificates() {
    local file end days
    for file in /etc/haproxy/site.pem /etc/ssl/glusterfs.pem; do
        [ -e "$file" ] || continue
        end=$(openssl x509 -noout -enddate -in "$file" 2>/dev/null) || {
            trouble own "certificate $file cannot be read"
            continue
        }
        days=$((($(date --date "${end#*=}" +%s) - now) / 86400))
        figure certificate_days "$days" "file=\"$file\""
        [ "$days" -ge "$certificate_days" ] || trouble own "certificate $file ends in days: $days"
    done
}

# the figures that are no trouble by themselves
count_bans_hits_and_backups() {
    local name value sets made=/var/lib/ha-wordpress/backup/made
    if sets=$(nft list table inet ha-wordpress 2>/dev/null); then
        figure banned_addresses "$(grep -o ' expires ' <<<"$sets" | wc -l)"
    fi
    if systemctl is-active --quiet varnish; then
        while read -r name value _; do
            figure "${name#MAIN.}_total" "$value"
        done < <(timeout 10 varnishstat -1 -f MAIN.cache_hit -f MAIN.cache_miss)
    fi
    [ ! -e "$made" ] || figure backup_age_seconds $((now - $(stat --format=%Y "$made")))
}

# check_volume: sets mails if this node mails the shared troubles, and unknown if they cannot be known now.
check_volume() {
    local pool lines line
    mails='' unknown=''
    [ -n "$volume" ] || return 0
    if ! pool=$(timeout 20 gluster --mode=script pool list 2>/dev/null); then
        trouble own "glusterd does not answer"
        unknown=yes
        return
    fi
    figure peers_disconnected "$(awk 'NR > 1 && $3 != "Connected"' <<<"$pool" | wc -l)"
    [ "$(awk -v own="$host" 'NR > 1 && $3 == "Connected" { print $2 == "localhost" ? own : $2 }' <<<"$pool" |
        sort | head -n 1)" != "$host" ] || mails=yes
    # asks all bricks, which blocks other commands on the volume for a moment
    [ -n "$mails" ] || grep -q $'\tshared\t' "$state/mailed" || return 0
    lines=$(lacks "$volume" '')
    while read -r line; do
        # a brick that is offline is not connected either, and one that is not connected does not count its entries
        [[ -z $line || $line = *': -' || $lines = *"brick ${line% is not connected} is offline"* ]] ||
            trouble shared "$line"
    done <<<"$lines"
    if grep -qE 'state is unknown|does not tell' <<<"$lines"; then
        unknown=yes
        return
    fi
    figure bricks_offline "$(grep -c '^brick .* is offline$' <<<"$lines" || true)"
    if grep -q unknown <<<"$lines"; then
        unknown=yes
        return
    fi
    figure entries_to_heal "$(awk '/entries to heal: / { n += $NF } END { print n + 0 }' <<<"$lines")"
    figure entries_in_split_brain "$(awk '/entries in split-brain: / { n += $NF } END { print n + 0 }' <<<"$lines")"
}

# compare: writes the troubles that are seen and mailed from now on, and prints the subject and the text of a mail if
# there is one to write.
compare() {
    awk -F '\t' -v OFS='\t' -v now="$now" -v mails="$mails" -v unknown="$unknown" -v new="$run/new" '
        function at(seconds) { return strftime("%Y-%m-%d %H:%M:%S UTC", seconds) }
        part == "mailed" { mailed[$3] = $1; kind[$3] = $2; text[$3] = $4; next }
        part == "seen" { seen[$3] = $1; kind[$3] = $2; text[$3] = $4; next }
        {
            key = $2
            sub(/[0-9]+$/, "", key)
            # one trouble, whether its entries are counted for each brick or for all
            sub(/^.*: entries /, "entries ", key)
            if (key in present || $1 == "shared" && !mails && !(key in mailed)) next
            present[key] = 1
            kind[key] = $1
            text[key] = $2
            if (key in mailed) next
            if (!(key in seen)) seen[key] = now
            if (now - seen[key] >= @LASTING@) {
                begun[++begins] = key
                mailed[key] = seen[key]
                delete seen[key]
            }
        }
        END {
            for (key in seen)
                if (key in present || unknown && kind[key] == "shared")
                    print seen[key], kind[key], key, text[key] >(new "/seen")
            for (key in mailed)
                if (key in present || unknown && kind[key] == "shared")
                    print mailed[key], kind[key], key, text[key] >(new "/mailed")
                else
                    ended[++ends] = key
            if (!begins && !ends) exit
            first = begins ? text[begun[1]] : "over: " text[ended[1]]
            print first (begins + ends > 1 ? ", and " begins + ends - 1 " more" : "")
            print ""
            for (i = 1; i <= begins; i++) print "since " at(mailed[begun[i]]) ": " text[begun[i]]
            for (i = 1; i <= ends; i++) print "over, from " at(mailed[ended[i]]) " to " at(now) ": " text[ended[i]]
        }
    ' part=mailed "$state/mailed" part=seen "$run/seen" part=now "$run/new/troubles"
}

# write_mail TEXT: puts a mail with this subject and text into the outbox.
write_mail() {
    local mail=$state/outbox/$now
    {
        printf 'From: %s\nTo: %s\nDate: %s\n' "$from" "$to" "$(date --rfc-email)"
        printf 'MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n'
        printf 'Subject: [@STACK@] %s: %s\n' "${host#node-}" "$1"
        printf '\n%s\n' 'docs/operations.md of the program, "Watch and alarms", says what each line means.'
    } >"$mail.new"
    # only whole mail has a name that is sent
    mv "$mail.new" "$mail.mail"
}

check_duties
check_mounts
check_disks
check_units
check_certificates
check_volume
count_bans_hits_and_backups
figure troubles "$(wc -l <"$run/new/troubles")"
figure checked_time_seconds "$now"
# in groups of the same name, as Prometheus demands
sort "$run/new/figures" | install --mode=644 /dev/stdin "$figures.new"
mv "$figures.new" "$figures"

: >"$run/new/seen"
: >"$run/new/mailed"
mail=$(compare)
[ -z "$mail" ] || write_mail "$mail"
# after the mail is written: a run that is killed here mails twice rather than never
cp "$run/new/mailed" "$state/mailed.new"
mv "$state/mailed.new" "$state/mailed"
mv "$run/new/seen" "$run/seen"

for mail in "$state"/outbox/*.mail; do
    [ -e "$mail" ] || continue
    timeout 60 msmtp --file=/etc/ha-wordpress/msmtp --read-recipients <"$mail"
    rm "$mail"
done
