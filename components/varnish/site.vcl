# Which pages are cached, which headers are trusted, and what visitors get during a failure. Settings that differ
# between nodes are in nodes.vcl. Varnish's built-in rules follow these: `varnishd -x builtin`.
vcl 4.1;

import directors;
import std;

# defines acls site_network and forwarders; directors `nodes` (this node first) and `neighbours`; sub name_cache
include "./nodes.vcl";
# defines sub refuse_banned: ends the request of a visitor whose address, in X-Forwarded-For, is banned
include "./bans.vcl";

# Leaves one address in X-Forwarded-For, the visitor's: the last one that is not a forwarder's. Varnish appends the
# address that its connection comes from, and each forwarder does the same. A client can forge any address before those.
sub find_client {
    call drop_forwarder;
    call drop_forwarder;
    call drop_forwarder;
    call drop_forwarder;
    call drop_forwarder;
    # a text that is no address becomes one that has no rights
    set req.http.X-Forwarded-For = std.ip(
        regsub(req.http.X-Forwarded-For, "^(.*,)?\s*(::ffff:)?", ""), "0.0.0.0", resolve = false);
    # for the log, as varnishncsa of Varnish 7.7 shows a header as the client sent it
    std.log("visitor:" + req.http.X-Forwarded-For);

    if (client.ip ~ forwarders && req.http.X-Forwarded-Proto == "https") {
        set req.http.X-Forwarded-Proto = "https";
    } else {
        set req.http.X-Forwarded-Proto = "http";
    }

    # other headers that claim a visitor's address, or that make WordPress answer for another page than the cached one
    unset req.http.Forwarded;
    unset req.http.X-Real-IP;
    unset req.http.X-Client-IP;
    unset req.http.Client-IP;
    unset req.http.True-Client-IP;
    unset req.http.CF-Connecting-IP;
    unset req.http.X-Forwarded-Host;
    unset req.http.X-Forwarded-Port;
    unset req.http.X-Forwarded-Server;
    unset req.http.X-Original-URL;
    unset req.http.X-Rewrite-URL;
    unset req.http.Proxy;
}

sub drop_forwarder {
    if (std.ip(regsub(req.http.X-Forwarded-For, "^.*,\s*", ""), "0.0.0.0", resolve = false) ~ forwarders) {
        set req.http.X-Forwarded-For = regsub(req.http.X-Forwarded-For, ",[^,]*$", "");
    }
}

sub vcl_recv {
    # before any answer: each one depends on the visitor's scheme
    call find_client;
    # a path is all that the rules below and nginx understand
    if (req.url !~ "^/") {
        return (synth(400));
    }
    set req.backend_hint = nodes.backend();

    # 200 while this node can serve, by itself or through a neighbour; 503 when it has lost its own files and all
    # neighbours. Every check reaches nginx, because a probe's result may be out of date. Balancers check in their own
    # name; for anyone else, X-Forwarded-For holds an address outside of the site's network.
    if (req.url == "/healthz") {
        if (std.ip(req.http.X-Forwarded-For, "0.0.0.0", resolve = false) !~ site_network) {
            return (synth(403));
        }
        # made before a change that interrupts this node (components/roll/drain.sh)
        if (std.file_exists("/run/ha-wordpress-drained")) {
            return (synth(503));
        }
        return (pass);
    }

    # Removes pages whose path and query match X-Url. The order must come from the site's own network, and must not be
    # forwarded for an outside client.
    if (req.method == "BAN") {
        if (client.ip !~ site_network || std.ip(req.http.X-Forwarded-For, "0.0.0.0", resolve = false) !~ site_network) {
            return (synth(403));
        }
        if (!std.ban("obj.http.X-Url ~ " + req.http.X-Url)) {
            return (synth(400, std.ban_error()));
        }
        return (synth(200));
    }

    call refuse_banned;

    # Varnish would pipe any other method, and does not inspect later requests on a piped connection: a client could
    # forge X-Forwarded-For there.
    if (req.method !~ "^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$") {
        return (synth(405));
    }

    # one cache entry for all spellings of the site's name
    set req.http.Host = regsub(std.tolower(req.http.Host), "\.?(:(80|443))?$", "");

    if (req.method !~ "^(GET|HEAD)$" || req.http.Authorization) {
        return (pass);
    }
    # WordPress's REST server uses this header as the request's method
    if (req.http.X-HTTP-Method-Override) {
        return (pass);
    }
    if (req.url ~ "^[^?]*/(wp-admin|wp-login\.php|wp-signup\.php|wp-activate\.php|wp-cron\.php|xmlrpc\.php)([/?]|$)") {
        return (pass);
    }
    # carts, by the default paths of WooCommerce and Easy Digital Downloads
    if (req.url ~ "^[^?]*/(cart|checkout|my-account)([/?]|$)") {
        return (pass);
    }
    if (req.url ~ "[?&](preview|customize_changeset_uuid|add-to-cart|remove_item|wc-ajax|wc-api|edd_action)=") {
        return (pass);
    }
    # cookies of a visitor who is logged in, has entered a page's password, has commented, or has items in a cart
    if (req.http.Cookie ~ "(^|;\s*)(wordpress_(?!test_)|wp-postpass|comment_author|wp_woocommerce_session|woocommerce_(items_in_cart|cart_hash)|edd_items_in_cart)") {
        return (pass);
    }

    # Every other visitor gets the same page: drop cookies, which matter only in the browser, and query parameters that
    # only say where the visitor came from.
    unset req.http.Cookie;
    set req.url = regsuball(req.url, "(?<=[?&])(utm_[a-z]+|gclid|gbraid|wbraid|dclid|fbclid|msclkid|mc_[ce]id)=[^&]*&?", "");
    set req.url = std.querysort(regsub(req.url, "[?&]+$", ""));
    return (hash);
}

sub vcl_hash {
    hash_data(req.http.X-Forwarded-Proto);
}

sub vcl_backend_fetch {
    call name_cache;
    # second attempt: this node's nginx failed, but its probe has not noticed yet
    if (bereq.retries > 0) {
        set bereq.backend = neighbours.backend();
    }
}

# Retries once, within 5 s, and only methods that are safe to repeat.
sub try_neighbour {
    if (bereq.retries == 0 && bereq.method ~ "^(GET|HEAD)$" && now - bereq.time < 5s && std.healthy(neighbours.backend())) {
        return (retry);
    }
}

sub vcl_backend_response {
    # 502: nginx runs, but PHP does not. A 503 comes from the site itself; a neighbour would answer the same.
    if (beresp.status == 502) {
        call try_neighbour;
    }
    # Keep serving the cached page instead of an error. 429 is for the one visitor whose request asked for a new page.
    if ((beresp.status >= 500 || beresp.status == 429) && bereq.is_bgfetch) {
        return (abandon);
    }

    set beresp.http.X-Url = bereq.url;
    if (beresp.http.Content-Type ~ "^(text/|application/(javascript|json|xml|rss\+xml|atom\+xml)|image/svg)") {
        set beresp.do_gzip = true;
    }

    if (bereq.uncacheable) {
        return (deliver);
    }
    # A file over 10 MiB would take the cache space of many pages. Passed through, it still supports range requests.
    if (std.integer(beresp.http.Content-Length, 0) > 10485760) {
        return (pass(2m));
    }
    # Errors are never cached. For 5 s Varnish remembers only that requests for the page need not wait for each other.
    # The same holds for a page that varies by browser, as few visitors could share it.
    if (beresp.status >= 400 || beresp.http.Vary ~ "(?i)user-agent") {
        call do_not_keep;
    }

    # WordPress sends a lifetime only for pages that must not be cached. Any other page stays until an edit removes it
    # (mu-plugins), or for ten minutes, as pages also show content that no edit announces. After that Varnish serves the
    # old page while it fetches a new one, and as long as that fails: up to twelve hours in all, the least time that
    # WordPress's nonces are valid.
    if (beresp.ttl > 0s && beresp.http.Cache-Control !~ "(?i)(max-age|s-maxage)" && !beresp.http.Expires) {
        set beresp.ttl = 10m;
    }
    set beresp.grace = 12h - 10m;
}

sub do_not_keep {
    set beresp.grace = 0s;
    set beresp.ttl = 5s;
    set beresp.uncacheable = true;
    return (deliver);
}

# Called by Varnish's built-in vcl_backend_response for responses whose own headers forbid caching.
sub vcl_beresp_hitmiss {
    set beresp.grace = 0s;
}

sub vcl_backend_error {
    call try_neighbour;
    if (bereq.is_bgfetch) {
        return (abandon);
    }
    set beresp.status = 503;
    set beresp.http.Retry-After = "5";
    set beresp.http.Cache-Control = "no-store";
    set beresp.http.Content-Type = "text/html; charset=utf-8";
    set beresp.body = {"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Back in a moment</title>
<h1>Back in a moment</h1>
<p>The site cannot show this page right now. Please try again in a few seconds.</p>
</html>
"};
    call do_not_keep;
}

# Browsers that came by HTTPS use nothing else for a year. Never over plain HTTP (RFC 6797, 7.2), where anybody on the way
# could have sent the header. A header of the site's own takes precedence.
sub require_https {
    if (req.http.X-Forwarded-Proto != "https") {
        unset resp.http.Strict-Transport-Security;
    } elsif (!resp.http.Strict-Transport-Security) {
        set resp.http.Strict-Transport-Security = "max-age=31536000";
    }
}

sub vcl_deliver {
    call require_https;
    if (obj.uncacheable) {
        set resp.http.X-Cache = "pass";
    } elsif (obj.hits > 0) {
        set resp.http.X-Cache = "hit";
    } else {
        set resp.http.X-Cache = "miss";
    }
    unset resp.http.X-Url;
    unset resp.http.X-Varnish;
    unset resp.http.Via;
}

sub vcl_synth {
    call require_https;
    set resp.http.Content-Type = "text/plain; charset=utf-8";
    set resp.http.Cache-Control = "no-store";
    set resp.body = resp.reason + {"
"};
    return (deliver);
}
