"""What the backend is told from outside: environment variables that begin with BACKEND_."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where the backend keeps its rows and where it listens.

    Attributes:
        database: an SQLAlchemy address: `sqlite:///backend.db` or
            `postgresql+psycopg://user@host/database`.
        tenant: whose lifecycle rows these are, if several companies share the database.
        partner: our own partner tenant, which sells.
        host: address to listen on.
        port: to listen on; 0 for any that is free.
    """

    model_config = SettingsConfigDict(env_prefix="BACKEND_")

    database: str = "sqlite:///backend.db"
    tenant: str = "default"
    partner: str = "contoso"
    host: str = "127.0.0.1"
    port: int = 8000
