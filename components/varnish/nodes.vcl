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

# The site's balancers and nodes. Varnish trusts their headers about the visitor, and their orders to remove pages.
acl hops {
@HOPS@
}

# Passes this cache's address to WordPress, which sends it later edits (mu-plugins/ha-wordpress-purge.php).
sub name_cache {
    set bereq.http.X-Cache-Address = "@ADDRESS@";
}
