"""HTTP/1.1 on a connection: what is no request at all is refused before it reaches any route."""

import re

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from sublife.scheduler.api.problem import MEDIA_TYPE, problem

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]")
_FOLDED = "a header is folded over several lines; send it on one"
_MALFORMED = "this is no HTTP request; correct its first line and its headers, or shorten them"


class Protocol(H11Protocol):
    """Refuses folded headers, which h11 joins, and says no in problem details.

    RFC 9112, section 5.2: a proxy before us may read the same header otherwise.
    """

    def handle_events(self) -> None:
        """Look at the head of a request that is about to be read."""
        if self.conn.their_state is h11.IDLE and _has_fold(self.conn.trailing_data[0]):
            self.send_400_response(_FOLDED)
            return
        super().handle_events()

    def send_400_response(self, msg: str) -> None:
        """Say no and close the connection; where it cannot be said any more, only close it."""
        said = msg if msg == _FOLDED else _MALFORMED
        body = bytes(problem(400, "BAD_REQUEST", said).body)
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        try:
            answer = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
            for event in (answer, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:
            pass  # an answer is under way already
        self.transport.close()


def _has_fold(received: bytes) -> bool:
    head = _HEAD_END.split(received, maxsplit=1)[0]
    return _FOLD.search(head) is not None
