"""`python -m examples.backend` serves the backend; /docs lists its endpoints."""

import uvicorn

from examples.backend.api import create_app
from examples.backend.settings import Settings
from examples.backend.transaction import Backend
from sublife import SystemClock


def main() -> None:
    """Serve until interrupted."""
    settings = Settings()
    backend = Backend(settings, SystemClock())
    try:
        uvicorn.run(create_app(backend), host=settings.host, port=settings.port)
    finally:
        backend.close()


if __name__ == "__main__":
    main()
