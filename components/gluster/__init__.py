"""GlusterFS: daemon, bricks, peers, volume, mounts."""
