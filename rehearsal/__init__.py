"""The rehearsal: a stack runs through the real Pulumi engine on machines booted here."""
