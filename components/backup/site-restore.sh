#!/bin/bash
# site-restore MOMENT [path PATH | table NAME]: restores the site's files and database, one file or directory, or one
# table, as they were at a moment.
set -euo pipefail

usage() {
    cat >&2 <<'USAGE'
site-restore MOMENT                the site's files and database; files that the backup lacks are deleted
site-restore MOMENT path PATH      one file or directory; PATH is relative to the document root
site-restore MOMENT table NAME     one table of the database
MOMENT: latest, or a time such as 2026-11-30T08:00:00Z; the last backup before it is taken.
USAGE
    exit 2
}
case $#-${2-} in
    1- | 3-path | 3-table) ;;
    *) usage ;;
esac

/usr/local/lib/ha-wordpress/site-backup restore "$@" <@SECRETS@
# the caches have pages from before
# shellcheck disable=SC2016 # the variable is PHP's
setpriv --reuid www-data --regid www-data --clear-groups \
    php -r 'require $argv[1]; HaWordPress\Purge\purge_site();' @ROOT@/wp-load.php || {
    echo "The restoration has succeeded, but the caches still have pages from before, for up to 12 hours." >&2
    exit 1
}
