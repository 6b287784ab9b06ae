# A file for each banned address (apply.sh): a ban takes no reload, and an access(2) of a memory file system costs about
# a microsecond a request. X-Forwarded-For holds the visitor's one true address by now.
import std;

sub refuse_banned {
    if (std.file_exists("/run/ha-wordpress/banned/" + std.ip(req.http.X-Forwarded-For, client.ip))) {
        return (synth(429));
    }
}
