#!/bin/bash
# site-backup backup | open | restore MOMENT [path PATH | table NAME] | begin_with MOMENT: a repository of restic with
# the site's files and the dump of its database. One snapshot has both. On standard input: assignments of restic's
# variables and of the database's. It runs itself again as `site-backup confined ...`.
set -euo pipefail
umask 077

root=@ROOT@
home=@HOME@
if [ "$1" != confined ]; then
    # The files belong to www-data, and restic follows links on its way to a file that it restores. So it works where
    # only the site and $home can be written, and no secret of the machine can be read.
    # shellcheck disable=SC2016 # the variables are those of the shell that unshare starts
    exec unshare --mount bash -euc '
        umask 022
        new=/run/ha-wordpress/site-backup
        mkdir -p "$new"
        mount -t tmpfs -o mode=755 tmpfs "$new"
        ln -s usr/bin usr/sbin usr/lib usr/lib64 "$new"
        mkdir -p "$new$1" "$new$2" "$new"/{usr,dev,tmp}
        for file in /etc/{hosts,resolv.conf,nsswitch.conf,passwd,group,ssl/certs/ca-certificates.crt}; do
            install -D --mode=644 "$file" "$new$file"
        done
        cp -a /etc/alternatives "$new/etc"
        touch "$new/dev/null"
        mount --bind /dev/null "$new/dev/null"
        mount --rbind -o ro /usr "$new/usr"
        mount --rbind "$1" "$new$1"
        mount --rbind "$2" "$new$2"
        shift 2
        cd /
        exec chroot "$new" "$@"
    ' bash "$root" "$home" "$0" confined "$@"
fi
shift
set -a
eval "$(cat)"
set +a

dump=$home/database.sql
state=$root/.ha-wordpress
restoration=$state/restoration
# what the nodes of a running site write beside the site
excluded=("$state/bans" "$state/cron" "$state/backup" "$state/new" "$restoration")
export RESTIC_CACHE_DIR=$home/cache TZ=UTC HOME=$home

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

as_www_data() {
    setpriv --reuid www-data --regid www-data --clear-groups "$@"
}

# take_lock: waits until no other node backs up or restores; sets waited to yes if it had to.
take_lock() {
    as_www_data mkdir -p "$state"
    exec 9>>"$state/backup"
    waited=
    flock --nonblock 9 && return
    waited=yes
    flock --timeout 21600 9 || fail "Another node, or another process, has held $state/backup for six hours."
}

# snapshots: prints a line "ID DATE TIME" for each backup, the oldest first; times are in UTC.
snapshots() {
    restic snapshots --quiet --host site --compact | awk '$2 ~ /^[0-9]+-[0-9]+-[0-9]+$/ { print $1, $2, $3 }'
}

# client_options: writes the database's address and login for the programs of MariaDB.
client_options() {
    cat >/tmp/my.cnf <<CNF
[client]
host=${DB_HOST%:*}
port=${DB_HOST#*:}
user=$DB_USER
password="$DB_PASSWORD"
ssl-ca=/etc/ssl/certs/ca-certificates.crt
ssl-verify-server-cert
CNF
    chown www-data /tmp/my.cnf
}

# sql [OPTION...]: the database's client, as www-data and without its commands for files and programs.
sql() {
    as_www_data mariadb --defaults-extra-file=/tmp/my.cnf --sandbox --batch --skip-column-names "$@" "$DB_NAME"
}

is_complete() {
    [[ $(tail -n 1 "$1") = "-- Dump completed"* ]]
}

# open [existing]: checks that the repository can be opened; makes it unless it is there, or has to be.
open() {
    local status=0
    timeout 60 restic cat config >/dev/null 2>"$home/error" || status=$?
    case $status-${1-} in
        0-*) return ;;
        # exit status of restic: the repository does not exist
        10-) timeout 60 restic init --quiet >/dev/null 2>"$home/error" && return ;;
    esac
    fail "The repository of the backups at $RESTIC_REPOSITORY cannot be opened:" "$(cat "$home/error")"
}

save() {
    restic backup --quiet --host site "${excluded[@]/#/--exclude=}" "$dump" "$root"
}

backup() {
    local begun last status=0
    begun=$(date +%s)
    take_lock
    restic unlock --quiet
    last=$(snapshots | tail -n 1 | cut -d ' ' -f 2-)
    if [ -n "$waited" ] && [ -n "$last" ] && [ "$(date --date "$last" +%s)" -ge $((begun - 30)) ]; then
        echo "Another node has backed up the site at $last."
        touch --date "$last" "$home/made"
        return
    fi
    client_options
    # the dump shows one moment, without a lock of the tables
    mariadb-dump --defaults-extra-file=/tmp/my.cnf --single-transaction --quick --no-tablespaces --skip-dump-date \
        "$DB_NAME" >"$dump"
    is_complete "$dump" || fail "The dump of the database is not complete."
    save || status=$?
    # exit status of restic: a file was not readable, such as one that was deleted meanwhile
    [ "$status" -ne 3 ] || { status=0 && save || status=$?; }
    rm "$dump"
    [ "$status" -eq 0 ] || fail "restic has ended with the status $status: the last backup lacks files, or there is none."
    # when the last backup that this node knows of was made (components/watch/site-watch.sh)
    touch --date "@$begun" "$home/made"
    restic forget --quiet --host site --group-by host --keep-within 1d \
        --keep-daily @DAILY@ --keep-weekly @WEEKLY@ --keep-monthly @MONTHLY@ --prune
    # the first backup of a week
    if [ "$(date --date "${last:-1970-01-01}" +%G-%V)" != "$(date +%G-%V)" ]; then
        restic check --quiet --read-data-subset=10% || fail "The repository of the backups is damaged."
    fi
}

# snapshot_at MOMENT: prints the ID of the last backup before the moment.
snapshot_at() {
    local until=9999 all id
    [ "$1" = latest ] || until=$(date --date "$1" '+%F %T') || fail "$1 is not a time; write one such as 2026-11-30T08:00:00Z."
    # locks of processes that have ended
    restic unlock --quiet >/dev/null
    all=$(snapshots)
    id=$(awk -v until="$until" '$2 " " $3 <= until { id = $1 } END { print id }' <<<"$all")
    [ -n "$id" ] || fail "There is no backup from before $1. These are there (UTC):" "$all"
    echo "$id"
}

# fetch_dump SNAPSHOT: fetches the snapshot's dump. Its views and triggers become the site's own user's, as only an
# administrator may restore those of others. No line of data begins like theirs.
fetch_dump() {
    # shellcheck disable=SC2016 # the quotes are SQL's
    restic dump "$1" "$dump" | sed -E '/^\/\*!50/ s/DEFINER=`[^`]*`@`[^`]*`//' >"$home/restore.sql"
    is_complete "$home/restore.sql" || fail "The dump of the database in the backup is not complete. Nothing was changed."
}

# drop_all: drops every table and view.
drop_all() {
    sql --execute "SELECT CONCAT(IF(table_type = 'VIEW', 'VIEW', 'TABLE'), ' IF EXISTS \`',
        REPLACE(table_name, '\`', '\`\`'), '\`') FROM information_schema.tables WHERE table_schema = DATABASE()" |
        sed 's/^/DROP /; s/$/;/; 1i SET FOREIGN_KEY_CHECKS = 0;' | sql
}

# table NAME: prints the part of the dump with this table, and the options before the first one.
table() {
    awk -v heading="-- Table structure for table \`$1\`" '
        /^-- Table structure for table `/ { within = $0 == heading; found = found || within; tables = 1 }
        /^-- (Temporary table|Final view) structure for view `/ { within = 0 }
        within || !tables
        END { exit !found }
    ' "$home/restore.sql"
}

# restore_all SNAPSHOT [OPTION...]: restores files, with these options of restic, and tables.
restore_all() {
    fetch_dump "$1"
    restic restore --quiet "$1:$root" --target "$root" --delete "${excluded[@]/#$root/--exclude=}" "${@:2}"
    drop_all
    sql <"$home/restore.sql"
}

restore() {
    local id directory
    take_lock
    id=$(snapshot_at "$1")
    client_options
    case ${2-} in
        path)
            directory=$root/$(dirname "$3")
            [ "$(realpath -m "$directory")" = "$(realpath -ms "$directory")" ] ||
                fail "On the way to $3 is a link. Nothing was changed." "Remove it, and run this again."
            [ -n "$(restic ls --quiet "$id" "$root/$3")" ] || fail "The backup $id has no $3."
            restic restore --quiet "$id:$root" --target "$root" --include "/$3"
            ;;
        table)
            fetch_dump "$id"
            table "$3" >"$home/table.sql" || fail "The backup $id has no table $3."
            sql <"$home/table.sql"
            ;;
        '') restore_all "$id" ;;
    esac
}

# note TEXT: writes the text to $restoration, all of it or nothing.
note() {
    # shellcheck disable=SC2016 # the variables are those of the shell that setpriv starts
    as_www_data sh -c 'echo "$1" >"$2" && mv "$2" "$3"' sh "$1" "$state/new" "$restoration"
}

# begin_with MOMENT: restores files and tables into an empty site, once. $restoration tells how far that is: "begun
# MOMENT"; "loaded MOMENT"; "done MOMENT", when components/wordpress/site.sh has set the administrator's password. The
# stack writes its own wp-config.php, and until then no page is served.
begin_with() {
    local was files tables id
    take_lock
    was=$(as_www_data cat "$restoration" 2>/dev/null) || true
    case $was in
        "loaded $1" | "done $1") return ;;
        "loaded "* | "done "*)
            fail "site.restore: the site began with the backup of ${was#* }. Nothing was changed." \
                "Remove the setting; the command site-restore restores another backup."
            ;;
    esac
    client_options
    files=$(find "$root" -mindepth 1 -maxdepth 1 ! -path "$state")
    tables=$(sql --execute 'SHOW TABLES')
    [ -e "$restoration" ] || [ -z "$files$tables" ] ||
        fail "site.restore: $root or the database $DB_NAME is not empty. Nothing was changed." \
            "Remove the setting; the command site-restore restores a site that is there."
    open existing
    id=$(snapshot_at "$1")
    # root's, if an address was banned before (components/fail2ban)
    chown --no-dereference www-data:www-data "$state"
    note "begun $1"
    restore_all "$id" --exclude=/wp-config.php >/dev/null
    note "loaded $1"
}

trap 'rm -f "$home"/*.sql "$home/error"' EXIT
"$@"
