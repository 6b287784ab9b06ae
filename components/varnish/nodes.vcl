# The site's nodes, seen from one of them. Version @VERSION@.

# nginx's own /healthz, as it takes three seconds to say that the files stall. Two failures among the last three: a node
# whose PHP is dead is left alone after two seconds, one whose files stall as all do while a brick is being lost is not.
probe health {
    .url = "/healthz";
    .interval = 0.8s;
    .timeout = 4s;
    .window = 3;
    .threshold = 2;
    # well until proven ill: a reload begins with every node
    .initial = 3;
}

@BACKENDS@

# the same as `local`, and never ill: where all are, nginx has the last word
@LAST_RESORT@

sub vcl_init {
    new neighbours = directors.fallback();
@NEIGHBOURS@
    new nodes = directors.fallback();
    nodes.add_backend(local);
    nodes.add_backend(neighbours.backend());
    nodes.add_backend(local_unasked);
}

# where the site's balancers and nodes are: what they say of visitors is believed, and what they say was edited
acl hops {
@HOPS@
}

# tells who makes a page which cache it is for, and so is to be told of edits (mu-plugins/ha-wordpress-purge.php)
sub name_cache {
    set bereq.http.X-Cache-Address = "@ADDRESS@";
}
