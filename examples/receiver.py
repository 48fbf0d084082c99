"""Receives the daemon's posts on this machine, checks their signatures and prints what has come.

    python -m examples.receiver --store sqlite:///sublife.db --port 8400

It makes itself an endpoint of the store, named `receiver`, and finds its secret there when it is
started again. A receiver elsewhere is given the secret by hand: `sublife endpoints add` shows it.
"""

import argparse
import json
import secrets
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

from sublife import Endpoint, Store, SystemClock, UnknownConsumerError, add_endpoint, new_secret

NAME = "receiver"


def main() -> None:
    """Receive until interrupted."""
    words = argparse.ArgumentParser(description="receives posts and prints what has come")
    words.add_argument("--store", required=True, help="sqlite:///file.db or postgresql://…")
    words.add_argument("--tenant", default="default", help="whose facts are posted")
    words.add_argument("--port", type=int, default=8400, help="where to listen on 127.0.0.1")
    given = words.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", given.port), Receiver)
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    Receiver.webhook = Webhook(secret_of(given.store, given.tenant, url))
    say(f"receives at {url}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


def secret_of(address: str, tenant: str, url: str) -> str:
    """Return the secret that signs what is posted here; be an endpoint first."""
    clock = SystemClock()
    store = Store.open(address, clock=clock, tenant=tenant)
    try:
        known = store.endpoints.get(NAME)
        if known.url == url:
            return known.secret
        store.endpoints.remove(NAME)
        return _added(store, url)
    except UnknownConsumerError:
        return _added(store, url)
    finally:
        store.close()


def _added(store: Store, url: str) -> str:
    endpoint = Endpoint(
        id=NAME,
        url=url,
        secret=new_secret(secrets.token_bytes(32)),
        allow_private=True,  # it is on this machine
        allow_http=True,
    )
    add_endpoint(store, endpoint, store.clock.now(), from_start=True)
    return endpoint.secret


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 to a post that is signed as it should be, and 401 to any other."""

    webhook: Webhook

    def do_POST(self) -> None:
        """Take a post."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            self.webhook.verify(body, headers)
        except WebhookVerificationError as error:
            say(f"not signed as it should be: {error}")
            self.send_response(401)
        else:
            fact = json.loads(body)
            say(f"verified: {fact['type']} of {fact['subject']}, {fact['data']['state']}")
            self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 – its names
        """Say nothing more."""


if __name__ == "__main__":
    main()
