#!/bin/bash
# Fails if .htaccess files in DIRECTORY, the document root of a site to import, protect files or pages: nginx does not
# read them. ACCEPTED=yes accepts that. Nothing is checked after a migration has renamed DIRECTORY.
set -euo pipefail

if [ "$ACCEPTED" = yes ] || [ ! -d "$DIRECTORY" ]; then
    exit 0
fi
s='[[:space:]]'
protecting=(
    "require$s" "(allow|deny)$s+from$s" "auth[a-z]+$s" "sslrequire" "sethandler$s+(none|default)"
    "remove(handler|type)$s" "php_(admin_)?(flag|value)$s+engine" "redirect(match)?$s+4"
    "rewriterule$s.*\[([^]]*,)?(f|forbidden|g|gone|r=4[0-9]+)[],]"
)
directives=$(printf '|%s' "${protecting[@]}")
open="(require$s+all$s+granted|allow$s+from$s+all)$s*$"
# grep -r follows no link; it exits with 1 if it finds nothing
lost=$(grep -rniE --include=.htaccess "^$s*(${directives#|})" "$DIRECTORY" | grep -viE "$open") || [ $? -eq 1 ]
[ -z "$lost" ] || fail "site.import: nginx reads no .htaccess files, so everybody could open what these lines protect:" \
    "$(sort <<<"${lost//"$DIRECTORY/"/}" | head -n 50)" "Nothing was copied." \
    "Move what they protect out of the document root and remove the lines, or set site.import.accept_lost_htaccess: true."
