"""Sells one subscription through the daemon's HTTP interface, as any client would.

python -m examples.order http://127.0.0.1:8321
"""

import json
import os
import secrets
import sys
import time
import urllib.error
import urllib.request

PATIENCE_SECONDS = 60
ORDER = {
    "request": "purchase",
    "data": {
        "customer": "tailspin",
        "partner": "contoso",
        "product": {"sku": "E3"},
        "quantity": 30,
        "term": "P1Y",
        "billing": "monthly",
    },
}


def main() -> int:
    """Wait for the daemon, order, and return the exit status."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m examples.order http://127.0.0.1:8321\n")
        return 2
    address = sys.argv[1].rstrip("/")
    wait_for(f"{address}/readyz")
    name = f"sub-{secrets.token_hex(4)}"
    request = urllib.request.Request(  # noqa: S310 – the user's own address
        f"{address}/v1/subjects/{name}/events",
        data=json.dumps(ORDER).encode(),
        headers={"content-type": "application/json", "idempotency-key": f"order-{name}"},
    )
    if token := os.environ.get("SUBLIFE_TOKEN"):
        request.add_header("authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 – the same
            outcome = json.load(answer)
    except urllib.error.HTTPError as error:
        sys.stderr.write(f"{error.code}: {error.read().decode()}\n")
        return 1
    sys.stdout.write(f"sold: {name}, {outcome['state']}\n")
    return 0


def wait_for(url: str) -> None:
    """Wait until a daemon that is being started is ready."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 – the user's own address
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
