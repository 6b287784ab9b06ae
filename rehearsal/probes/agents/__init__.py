"""Programs that a probe or a drill starts in another process: on a machine, or in the network of a host."""
