"""Uptime checks and monitor alerts, which exist but tell nobody."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rehearsal.plugins.digitalocean.resource_type import DigitalOceanResourceType, InputModel, Properties, matching

Url = Annotated[str, matching(r"https?://\S+", "a URL")]
Emails = Annotated[list[str], Field(min_length=1)]


class UptimeCheckInputs(InputModel):
    name: str
    target: Url
    type: Literal["http", "https"] = "https"


class UptimeCheck(DigitalOceanResourceType[UptimeCheckInputs]):
    token = "digitalocean:index/uptimeCheck:UptimeCheck"
    in_place = frozenset(UptimeCheckInputs.model_fields)
    unique = False

    def on_create(self, resource_id: str, inputs: UptimeCheckInputs) -> Properties:
        return {}


class Notification(InputModel):
    emails: Emails


class UptimeAlertInputs(InputModel):
    name: str
    check_id: str
    type: Literal["down", "down_global"]
    period: Literal["2m", "3m", "5m", "10m", "15m", "30m", "1h"]
    notifications: Annotated[list[Notification], Field(min_length=1)]


class UptimeAlert(DigitalOceanResourceType[UptimeAlertInputs]):
    token = "digitalocean:index/uptimeAlert:UptimeAlert"
    replaces = frozenset({"checkId"})
    in_place = frozenset(UptimeAlertInputs.model_fields) - {"check_id"}
    unique = False

    def on_create(self, resource_id: str, inputs: UptimeAlertInputs) -> Properties:
        return {}


class Alerts(InputModel):
    emails: Emails


class MonitorAlertInputs(InputModel):
    description: str
    type: Literal["v1/dbaas/alerts/cpu_alerts", "v1/dbaas/alerts/disk_utilization_alerts"]
    entities: Annotated[list[str], Field(min_length=1)]
    compare: Literal["GreaterThan", "LessThan"]
    value: float
    window: Literal["5m", "10m", "30m", "1h"]
    alerts: Alerts


class MonitorAlert(DigitalOceanResourceType[MonitorAlertInputs]):
    token = "digitalocean:index/monitorAlert:MonitorAlert"
    in_place = frozenset(MonitorAlertInputs.model_fields)
    computed = frozenset({"uuid"})
    auto_name = None
    unique = False

    def on_create(self, resource_id: str, inputs: MonitorAlertInputs) -> Properties:
        return {"uuid": resource_id}


RESOURCE_TYPES = [UptimeCheck, UptimeAlert, MonitorAlert]
