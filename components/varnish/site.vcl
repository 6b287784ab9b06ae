# What is cached, who is believed, and what visitors get while something is down. What differs between nodes is in
# nodes.vcl; what Varnish does where nothing is said here: `varnishd -x builtin`.
vcl 4.1;

import directors;
import std;

# acl hops; directors `nodes` (this node first) and `neighbours`; sub name_cache
include "./nodes.vcl";
# sub refuse_banned: ends the request of a visitor who is banned, known by X-Forwarded-For
include "./bans.vcl";

# The visitor's address is the last one in X-Forwarded-For that is none of our own hops: Varnish has appended the
# address that the connection came from, and a hop the one that it was connected from. Before that the visitor may have
# written anything. Afterwards the header holds that one address, and nginx is told no other.
sub find_client {
    call drop_hop;
    call drop_hop;
    call drop_hop;
    set req.http.X-Forwarded-For = std.ip(
        regsub(req.http.X-Forwarded-For, "^(.*,)?\s*(::ffff:)?", ""), client.ip, resolve = false);

    if (client.ip ~ hops && req.http.X-Forwarded-Proto == "https") {
        set req.http.X-Forwarded-Proto = "https";
    } else {
        set req.http.X-Forwarded-Proto = "http";
    }

    # other ways to say who one is, or to be answered for another page than the one that is cached
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

sub drop_hop {
    if (std.ip(regsub(req.http.X-Forwarded-For, "^.*,\s*", ""), "0.0.0.0", resolve = false) ~ hops) {
        set req.http.X-Forwarded-For = regsub(req.http.X-Forwarded-For, ",[^,]*$", "");
    }
}

sub vcl_recv {
    call find_client;
    set req.backend_hint = nodes.backend();

    # 200 while this node can serve, by itself or through a neighbour; a node that is cut off from its own files and
    # from the others is not fit. Asked of nginx each time, as what a probe knows is a moment old.
    if (req.url == "/healthz") {
        return (pass);
    }

    # From the site's own network, and for nobody outside of it: pages whose path and query match X-Url are forgotten.
    if (req.method == "BAN") {
        if (client.ip !~ hops || std.ip(req.http.X-Forwarded-For, "0.0.0.0", resolve = false) !~ hops) {
            return (synth(403));
        }
        if (!std.ban("obj.http.X-Url ~ " + req.http.X-Url)) {
            return (synth(400, std.ban_error()));
        }
        return (synth(200));
    }

    call refuse_banned;

    # anything else would be piped: what follows on a piped connection is not looked at, X-Forwarded-For included
    if (req.method !~ "^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$") {
        return (synth(405));
    }

    # one name for the site, however it is written
    set req.http.Host = regsub(std.tolower(req.http.Host), "\.?(:(80|443))?$", "");

    if (req.method !~ "^(GET|HEAD)$" || req.http.Authorization) {
        return (pass);
    }
    # WordPress's REST server takes its word for the method
    if (req.http.X-HTTP-Method-Override) {
        return (pass);
    }
    if (req.url ~ "^[^?]*/(wp-admin|wp-login\.php|wp-signup\.php|wp-activate\.php|wp-cron\.php|xmlrpc\.php)([/?]|$)") {
        return (pass);
    }
    # carts: what WooCommerce and Easy Digital Downloads call them at first
    if (req.url ~ "^[^?]*/(cart|checkout|my-account)([/?]|$)") {
        return (pass);
    }
    if (req.url ~ "[?&](preview|customize_changeset_uuid|add-to-cart|remove_item|wc-ajax|wc-api|edd_action)=") {
        return (pass);
    }
    # somebody is logged in, knows a page's password, has commented, or has something in a cart
    if (req.http.Cookie ~ "(^|;\s*)(wordpress_(?!test_)|wp-postpass|comment_author|wp_woocommerce_session|woocommerce_(items_in_cart|cart_hash)|edd_items_in_cart)") {
        return (pass);
    }

    # For everybody the same: other cookies are the browser's business, and so is where a visitor came from.
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
    # the second attempt: this node has failed before its probe told
    if (bereq.retries > 0) {
        set bereq.backend = neighbours.backend();
    }
}

# once, quickly, and only what may be asked twice
sub try_neighbour {
    if (bereq.retries == 0 && bereq.method ~ "^(GET|HEAD)$" && now - bereq.time < 5s && std.healthy(neighbours.backend())) {
        return (retry);
    }
}

sub vcl_backend_response {
    # nginx is there, PHP is not; a 503 is said by the site itself, and would be said by the neighbour too
    if (beresp.status == 502) {
        call try_neighbour;
    }
    # a page of before is better than an error
    if (beresp.status >= 500 && bereq.is_bgfetch) {
        return (abandon);
    }

    set beresp.http.X-Url = bereq.url;
    if (beresp.http.Content-Type ~ "^(text/|application/(javascript|json|xml|rss\+xml|atom\+xml)|image/svg)") {
        set beresp.do_gzip = true;
    }

    if (bereq.uncacheable) {
        return (deliver);
    }
    # one film is worth a thousand pages; it can be sought in
    if (std.integer(beresp.http.Content-Length, 0) > 10485760) {
        return (pass(2m));
    }
    # Errors are never kept: what is remembered for a moment is only that visitors need not queue for the page. And a
    # page for each browser is none for all.
    if (beresp.status >= 400 || beresp.http.Vary ~ "(?i)user-agent") {
        call do_not_keep;
    }

    # WordPress says how long where it must not be kept at all; everything else until it is edited (mu-plugins), or, as
    # not everything that is shown is a post, for so long. A page that nobody has read since is shown once more while it
    # is made anew, and while it cannot be: up to the twelve hours that WordPress's nonces hold at least.
    if (beresp.ttl > 0s && beresp.http.Cache-Control !~ "max-age" && !beresp.http.Expires) {
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

# what must not be kept by what it says itself: called by Varnish's own rules, which follow on vcl_backend_response
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

sub vcl_deliver {
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
    set resp.http.Content-Type = "text/plain; charset=utf-8";
    set resp.http.Cache-Control = "no-store";
    set resp.body = resp.reason + {"
"};
    return (deliver);
}
