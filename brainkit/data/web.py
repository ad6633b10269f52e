"""Read a file from a URL: quick to give up on a host that is not there, patient with a slow one."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from brainkit.data.catalogue import File
from brainkit.data.landing import Refused, land

CONNECT_SECONDS = 5  # an offline machine should reach the next source soon
READ_SECONDS = 30  # but a throttled host may pause
FORGET_SECONDS = 60
_unreachable: dict[str, float] = {}  # host -> when it last failed to answer


class Absent(Refused):
    """The server answers, and does not have the file."""


class Unreachable(Refused):
    """No answer from the host."""


class _Patient:
    """Connects within CONNECT_SECONDS, then lets each read take READ_SECONDS."""

    def connect(self):
        self.timeout = CONNECT_SECONDS
        super().connect()
        self.sock.settimeout(READ_SECONDS)


class _Http(_Patient, http.client.HTTPConnection):
    pass


class _Https(_Patient, http.client.HTTPSConnection):
    pass


class _HttpHandler(urllib.request.HTTPHandler):
    def http_open(self, request):
        return self.do_open(_Http, request)


class _HttpsHandler(urllib.request.HTTPSHandler):
    def https_open(self, request):
        return self.do_open(_Https, request, context=self._context)


_opener = urllib.request.build_opener(_HttpHandler, _HttpsHandler)


def _open(url: str, method: str = "GET"):
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        raise Refused(f"{parts.scheme or 'no scheme'}: only http and https are read")
    if time.monotonic() - _unreachable.get(parts.netloc, -FORGET_SECONDS) < FORGET_SECONDS:
        raise Unreachable("the host did not answer a moment ago")
    request = urllib.request.Request(url, method=method, headers={"User-Agent": "brainkit"})
    try:
        return _opener.open(request)
    except urllib.error.HTTPError as error:
        error.close()
        kind = Absent if error.code in {404, 410} else Refused
        raise kind(f"the server answers {error.code} {error.reason}") from error
    except (http.client.HTTPException, OSError) as error:
        _unreachable[parts.netloc] = time.monotonic()
        raise Unreachable(f"cannot connect ({getattr(error, 'reason', error)})") from error


def exists(url: str) -> bool:
    """Whether the server says that it has the file (a HEAD request)."""
    try:
        with _open(url, "HEAD"):
            return True
    except Refused:
        return False


def download(url: str, file: File, folder: Path) -> Path:
    """Bring `file` from `url` to `folder`, checked as `landing.land` does.

    Raises
    ------
    Refused
        With the reason: no connection, the server's answer, a broken transfer, a wrong hash.
    """
    with _open(url) as answer:
        declared = answer.headers.get("Content-Length")
        try:
            return land(answer, file, folder, int(declared) if declared else None)
        except (OSError, http.client.HTTPException) as error:
            raise Refused(f"the transfer broke off ({error or type(error).__name__})") from error
