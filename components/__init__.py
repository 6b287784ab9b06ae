"""The Pulumi program: settings, clouds, and the software of a site."""
