"""What is taken away from a site that stands, in which order, and what was promised of it; a file per kind of site."""
