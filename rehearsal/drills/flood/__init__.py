"""The drill of a flood: many addresses guess WordPress passwords while legitimate clients must be served."""
