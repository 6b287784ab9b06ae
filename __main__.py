"""The program that `pulumi up` runs."""

from components.profile import profiled

with profiled():
    from components import settings, site

    site.build(settings.load())
