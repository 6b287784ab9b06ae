# apply.sh keeps one file per banned address, so a ban needs no reload. A list compiled into VCL costs 0.3 s of
# processor time per change; looking for a file in memory costs a few microseconds per request. X-Forwarded-For holds
# only the visitor's address here (site.vcl).
import std;

sub refuse_banned {
    if (std.file_exists("/run/ha-wordpress/banned/" + req.http.X-Forwarded-For)) {
        return (synth(429));
    }
}
