"""Stand-ins for the provider plugins that the program uses, and the protocol by which the engine calls them."""
