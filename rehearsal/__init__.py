"""The rehearsal: runs a stack through the real Pulumi engine, on machines booted on this host."""
