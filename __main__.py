"""The program that `pulumi up` runs."""

from components.profile import profiled

with profiled():
    from components import site
    from components.config.loader import load

    site.build(load())
