"""The HTTP interface: subjects, events, records and endpoints of a tenant, by bearer token."""

from sublife.scheduler.api.app import create_app
from sublife.scheduler.api.interface import Interface, Limits
from sublife.scheduler.api.server import Server

__all__ = ["Interface", "Limits", "Server", "create_app"]
