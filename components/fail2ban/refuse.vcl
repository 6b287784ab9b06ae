# A file for each banned address (apply.sh): a ban takes no reload, where a list compiled into VCL takes 0.3 s of
# processor time for each. To look for a file in memory takes some microseconds a request. X-Forwarded-For is the
# visitor's one true address by now (site.vcl).
import std;

sub refuse_banned {
    if (std.file_exists("/run/ha-wordpress/banned/" + req.http.X-Forwarded-For)) {
        return (synth(429));
    }
}
