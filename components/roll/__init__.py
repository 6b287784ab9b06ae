"""Changes that interrupt a node, one node after another within one `pulumi up`, and what a node lacks after it."""
