"""Which cloud and which web stack the settings ask for. Only what is asked for is imported: each provider's package
costs a second.
"""

from __future__ import annotations

from components.cloud.aws.settings import AwsSettings
from components.cloud.digitalocean.settings import DigitalOceanSettings
from components.cloud.existing.settings import ExistingSettings
from components.cloud.interface import Cloud, SiteSpec
from components.config.settings import Settings
from components.web.interface import WebStack


def cloud_of(settings: Settings, site: SiteSpec) -> Cloud:
    """The machines and what is rented with them, made."""
    match settings:
        case AwsSettings():
            from components.cloud.aws.cloud import Aws

            return Aws(settings, site)
        case DigitalOceanSettings():
            from components.cloud.digitalocean.cloud import DigitalOcean

            return DigitalOcean(settings, site)
        case ExistingSettings():
            from components.cloud.existing.cloud import Existing

            return Existing(settings, site)
        case _:
            raise TypeError(f"no cloud is made of {type(settings).__name__}")


def web_stack_of(settings: Settings) -> WebStack:
    """What the web nodes run, described and not yet made."""
    match settings.web:
        case "wordpress":
            from components.wordpress.stack import WordPressStack

            assert settings.site
            return WordPressStack(settings.site, settings.bans, settings.cache)
        case "sessions":
            from components.sessions.stack import SessionsStack

            return SessionsStack()
        case "apache":
            from components.apache.stack import ApacheStack

            return ApacheStack()
