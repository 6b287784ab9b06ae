"""Creates the cloud and the web stack that the settings choose.

The functions import only the chosen ones, because each provider's package takes about a second to import.
"""

from __future__ import annotations

from components.cloud.aws import prices as aws
from components.cloud.aws.settings import AwsSettings
from components.cloud.digitalocean import prices as digitalocean
from components.cloud.digitalocean.settings import DigitalOceanSettings
from components.cloud.existing.settings import ExistingSettings
from components.cloud.interface import Cloud, SiteSpec
from components.cloud.prices import Price
from components.config.settings import Settings
from components.roll.turns import Turns
from components.web.interface import WebStack


def create_cloud(settings: Settings, site: SiteSpec, turns: Turns) -> Cloud:
    """The chosen cloud, with its resources created. `turns`: the order in which its nodes are changed.

    Raises TypeError for settings that belong to no cloud.
    """
    match settings:
        case AwsSettings():
            from components.cloud.aws.cloud import Aws

            return Aws(settings, site, turns)
        case DigitalOceanSettings():
            from components.cloud.digitalocean.cloud import DigitalOcean

            return DigitalOcean(settings, site, turns)
        case ExistingSettings():
            from components.cloud.existing.cloud import Existing

            return Existing(settings, site, turns)
        case _:
            raise TypeError(f"no cloud belongs to {type(settings).__name__}; add a case to create_cloud")


def monthly_price(settings: Settings, site: SiteSpec) -> Price | None:
    """What the chosen cloud asks for the site; None for existing machines."""
    match settings:
        case AwsSettings():
            return aws.price(settings, site)
        case DigitalOceanSettings():
            return digitalocean.price(settings, site)
        case _:
            return None


def create_web_stack(settings: Settings) -> WebStack:
    """The chosen web stack; its `serve` creates the resources later."""
    trusted_proxies = [str(each) for each in settings.network.trusted_proxies]
    match settings.web:
        case "wordpress":
            from components.wordpress.stack import BackupStore, WordPressStack

            assert settings.site
            return WordPressStack(
                settings.site,
                settings.smtp_password.get_secret_value(),
                settings.bans,
                settings.cache,
                trusted_proxies,
                BackupStore(
                    settings.backup,
                    settings.backup_secret_access_key.get_secret_value(),
                    settings.backup_password.get_secret_value(),
                )
                if settings.backup
                else None,
            )
        case "sessions":
            from components.sessions.stack import SessionsStack

            return SessionsStack(trusted_proxies)
        case "apache":
            from components.apache.stack import ApacheStack

            return ApacheStack()
