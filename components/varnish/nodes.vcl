# The site's nodes, as one of them sees them. Version @VERSION@.

# Checks /healthz of nginx, which takes 3 s to report that the files stall. A backend is sick after two failures among
# the last three checks: a node with dead PHP gets no requests after 2 s. When a brick has just been lost, files stall
# on all nodes for a few seconds, which does not make them sick.
probe health {
    .url = "/healthz";
    .interval = 0.8s;
    .timeout = 4s;
    .window = 3;
    .threshold = 2;
    # a backend starts healthy, so a reload begins with every node
    .initial = 3;
}

@BACKENDS@

# The same nginx as `local`, but never sick: when all backends are sick, requests still reach it.
@LAST_RESORT@

sub vcl_init {
    new neighbours = directors.fallback();
@NEIGHBOURS@
    new nodes = directors.fallback();
    nodes.add_backend(local);
    nodes.add_backend(neighbours.backend());
    nodes.add_backend(local_unprobed);
}

# The machines of the site, from which Varnish takes health checks and orders to remove pages.
acl site_network {
@SITE_NETWORK@
}

# The balancers, and the proxies that the settings trust: Varnish believes their headers about a visitor. The web nodes,
# by loopback or by their own addresses, forward for no visitor: PHP there may be an attacker's, and connects to
# balancers and to every Varnish.
acl forwarders {
@FORWARDERS@
}

# Passes this cache's address to WordPress, which sends it later edits (mu-plugins/ha-wordpress-purge.php).
sub name_cache {
    set bereq.http.X-Cache-Address = "@ADDRESS@";
}
