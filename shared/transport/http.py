"""HTTP as a poll needs it: bounded in time, retried if that helps, and never redirected to another host.

``session`` gives a ``requests.Session`` whose adapter does all of this, so that it also works for libraries that
make their own calls (keystoneauth1). botocore has its own HTTP stack; the AWS provider hooks
``delay_before_retry`` and ``Traffic`` into it.
"""

import email.utils
import ipaddress
import random
import re
import ssl
import time
from typing import Any, Optional
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
import requests.adapters
from urllib3.util.ssl_ import create_urllib3_context

from shared.engine.deadline import Deadline
from shared.engine.errors import ConnectorError, InvalidEvent, UnexpectedResponse, Unreachable
from shared.engine.network import CONNECT_TIMEOUT_S, Network
from shared.engine.traffic import Traffic
from shared.transport import decode

READ_TIMEOUT_S = 60.0
ATTEMPTS = 8  # throttling windows are some 10 s long; 8 attempts span about a minute
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 20.0
ROOM_FOR_A_CALL_S = 1.0  # a retry with less time than this after its delay is not worth starting
LONGEST_HOST = 253  # characters of a name (RFC 1035, without the length bytes)
POOL = 8  # connections kept per host: as many as scopes run side by side

# Nova's old rate limiter sent 413 with Retry-After instead of 429.
THROTTLED = (429, 413)
TRANSIENT = (408, 500, 502, 503, 504)


PASSING = (
    requests.exceptions.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    requests.exceptions.Timeout,
)


def delay_before_retry(
    attempt: int, deadline: Deadline, retry_after: Optional[float] = None
) -> Optional[float]:
    """Seconds to wait before the next attempt, or None if there must not be one.

    ``attempt`` is the number of attempts so far. The delay grows exponentially with jitter, so that scopes that
    were throttled together do not return together, and is never shorter than the provider requested. It is None
    when all attempts are used up or the deadline leaves no room for the delay and a call.
    """
    if attempt >= ATTEMPTS:
        return None
    longest = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** (attempt - 1))
    delay = random.uniform(longest / 2, longest)  # noqa: S311 - jitter, no secret
    if retry_after is not None:
        delay = max(delay, retry_after)
    if delay + ROOM_FOR_A_CALL_S > deadline.remaining():
        return None
    return delay


def retry_after(value: Optional[str]) -> Optional[float]:
    """The seconds that a Retry-After header requests (RFC 9110, 10.2.3: seconds or a date)."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        then = email.utils.parsedate_to_datetime(value)
        return max(0.0, then.timestamp() - time.time())
    except (OverflowError, TypeError, ValueError):
        return None


def should_retry(status: int, headers: Any) -> bool:
    """Whether another attempt may get a better response than one of this status."""
    if status == 413:
        return "Retry-After" in headers
    return status in THROTTLED or status in TRANSIENT


# --- URLs -----------------------------------------------------------------------------------------


def without_query(url: str) -> str:
    """The URL without its query, user name and password.

    Only for URLs that this project builds. In a URL from a server, a secret may contain a character at which this
    function cuts: errors show such a URL unchanged, and the engine removes its query after masking.
    """
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "a URL that is none"
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    return f"{parts.scheme}://{host}{port}{parts.path}"


# No blanks, control characters, halves of surrogate pairs, or characters that RFC 3986 excludes from URLs.
_URL_TEXT = re.compile(r"[^\s\x00-\x20\x7f-\xa0\ud800-\udfff\\<>\"^`{|}]+")


def url_parts(text: str) -> Optional[SplitResult]:
    """The parts of an http or https URL that a request can be sent to; None for any other text.

    Stricter than urlsplit, which accepts nearly anything and splits some of it differently from urllib3.
    """
    if not _URL_TEXT.fullmatch(text):
        return None
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:
        return None
    host = parts.hostname or ""
    if "[" in parts.netloc:  # older Pythons accept any text in brackets as an address
        host = f"[{host}]"
    if not usable or "@" in parts.netloc or not usable_host(host):
        return None
    return parts


def usable_host(host: str) -> bool:
    """Whether this is an address or a name that can be looked up (RFC 1035, 2.3.4: labels of 1 to 63)."""
    if ":" in host or host.startswith("["):
        try:
            return bool(ipaddress.IPv6Address(host.strip("[]")))
        except ValueError:
            return False
    if len(host) > LONGEST_HOST:
        return False
    try:
        return re.fullmatch(rb"[\w.-]+", host.encode("idna")) is not None
    except UnicodeError:  # a label that is empty or too long
        return False


def checked_url(text: str, name: str, what: str) -> SplitResult:
    """The parts of an account's URL. Raises InvalidEvent naming the key if it can't be the URL of ``what``."""
    parts = url_parts(text)
    if parts is None or parts.query or parts.fragment:
        raise InvalidEvent(
            f"credentials.{name} should be the http or https URL of {what}, "
            "without user name, query and fragment"
        )
    return parts


def _same_origin(one: SplitResult, other: SplitResult) -> bool:
    """Whether scheme, host and port are the same (RFC 6454, 4)."""
    return _origin(one) == _origin(other)


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return parts.scheme, parts.hostname or "", port


# --- responses ------------------------------------------------------------------------------------


def json_of(response: requests.Response, *, nan: bool = False) -> Any:
    """The value of a response's body; raises UnexpectedResponse if it is not usable JSON.

    ``nan``: read NaN and Infinity as null.
    """
    where = response.url or ""
    kind = response.headers.get("Content-Type", "no content type")
    return decode.json_answer(response.content, where, kind, nan=nan)


def json_or_none(response: requests.Response) -> Any:
    """Like ``json_of``, but None instead of an error: a refusal may be a proxy's own page."""
    try:
        return json_of(response)
    except UnexpectedResponse:
        return None


class _Response(requests.Response):
    """A response whose ``json`` uses our reader, even in libraries that read responses themselves."""

    def json(self, **kwargs: Any) -> Any:
        try:
            return json_of(self)
        except UnexpectedResponse as error:
            raise ValueError(error.message) from None  # which keystoneauth1 can handle


def classify(error: Exception, who: str) -> Optional[ConnectorError]:
    """The ConnectorError for an exception of requests; None for any other. ``who`` stands in for a missing URL."""
    if not isinstance(error, requests.exceptions.RequestException):
        return None
    where = error.request.url if error.request else who
    about = f"{where}: {_reason(error)}"
    if isinstance(error, requests.exceptions.SSLError):
        return Unreachable(f"TLS failed: {about}")
    return Unreachable(about) if isinstance(error, PASSING) else UnexpectedResponse(about)


def _reason(error: Exception) -> str:
    """The innermost text of an error that requests and urllib3 wrapped."""
    inner: Any = error.args[0] if error.args else error
    inner = getattr(inner, "reason", None) or inner
    text = re.sub(r"<[^<>]* object at 0x[0-9a-f]+>:? *", "", str(inner))
    return f"{type(error).__name__}: {text}"


class PollAdapter(requests.adapters.HTTPAdapter):
    """Bounds each call by the time left, and retries transient failures.

    A redirect to another scheme, host or port is refused: the request's headers contain the account's token,
    and the server there need not be the API.
    """

    def __init__(
        self,
        network: Network,
        traffic: Traffic,
        verify: bool,
        tls: Optional[ssl.SSLContext],
    ):
        self._network = network
        self._deadline = network.deadline
        self._traffic = traffic
        self._verify = verify
        self._tls = tls
        super().__init__(pool_connections=POOL, pool_maxsize=POOL, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._tls, **kwargs)
        self._attach(self.poolmanager)

    def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> Any:
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, ssl_context=self._tls, **kwargs)
        if not known:
            self._attach(manager)
        return manager

    def _attach(self, manager: Any) -> None:
        manager.pool_classes_by_scheme = self._network.pools(
            manager.pool_classes_by_scheme, self._tls
        )
        self._network.at_end(manager.clear)

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        response: requests.Response = super().build_response(req, resp)
        response.__class__ = _Response
        return response

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        if url_parts(request.url or "") is None:  # it may come from a provider's link or catalog
            raise UnexpectedResponse(f"{request.url} is no URL to send a request to")
        attempt = 0
        while True:
            self._deadline.check(f"{request.method} {request.url}")
            attempt += 1
            self._traffic.count(retry=attempt > 1)
            if self._verify is not True:  # otherwise the host's *_CA_BUNDLE would override it
                kwargs["verify"] = self._verify
            kwargs["timeout"] = (
                self._deadline.timeout(CONNECT_TIMEOUT_S),
                self._deadline.timeout(READ_TIMEOUT_S),
            )
            try:
                response = super().send(request, **kwargs)
            except requests.exceptions.SSLError:
                raise  # a retry does not change the certificate
            except PASSING as error:
                error.request = error.request or request  # missing if the response broke off
                delay = delay_before_retry(attempt, self._deadline)
                if delay is None:
                    raise
            else:
                _refuse_foreign_redirect(request, response)
                if not should_retry(response.status_code, response.headers):
                    return response
                requested_s = retry_after(response.headers.get("Retry-After"))
                delay = delay_before_retry(attempt, self._deadline, requested_s)
                if delay is None:
                    return response
            self._network.pause(delay)


def _refuse_foreign_redirect(
    request: requests.PreparedRequest, response: requests.Response
) -> None:
    # keystoneauth1 also follows a 305, which requests does not count as a redirect
    if not (response.is_redirect or response.status_code == 305):
        return
    url, location = request.url or "", response.headers.get("Location", "")
    try:
        whole = not urlsplit(location).scheme or urlsplit(location).netloc  # unlike "http:x"
        usable = whole and location.isascii() and _URL_TEXT.fullmatch(location)
        target = url_parts(urljoin(url, location)) if usable else None
    except ValueError:
        target = None
    if target is None:
        raise UnexpectedResponse(f"{url} redirects to what is no http or https URL")
    if not _same_origin(target, urlsplit(url)):
        raise UnexpectedResponse(
            f"{url} redirects to another place ({location}); if that is the API, use its URL"
        )


def trusting(pem: str) -> ssl.SSLContext:
    """A TLS context for ``session`` that also trusts the CA in this PEM text.

    Raises ssl.SSLError or ValueError if the text is not PEM. It is urllib3's own kind of context: with any other,
    urllib3 1.26 does not check the host name if it is an address.
    """
    tls: ssl.SSLContext = create_urllib3_context()
    tls.load_verify_locations(cadata=pem)
    return tls


def trust(cacert: Optional[str], verify: bool) -> Optional[ssl.SSLContext]:
    """The ``tls`` of ``session`` for an account's ``cacert``, which is PEM text.

    Raises InvalidEvent if it is not PEM, even if nothing is verified. It is never used as a path: an account must
    not learn which files the host has, and a FaaS has none of the account's files.
    """
    if not cacert:
        return None
    if "-----BEGIN" not in cacert:
        raise InvalidEvent(
            "credentials.cacert should be the PEM text of a certificate (only flexlocal reads a path)"
        )
    try:
        tls = trusting(cacert)
    except (ssl.SSLError, ValueError):
        raise InvalidEvent("credentials.cacert is no usable PEM text") from None
    return tls if verify else None


def session(
    network: Network,
    traffic: Traffic,
    *,
    verify: bool = True,
    tls: Optional[ssl.SSLContext] = None,
) -> requests.Session:
    """A requests session for one poll.

    ``tls`` is a context from ``trust`` or ``trusting``. The host's ``.netrc`` is not read (it would be an ambient
    credential); its proxy settings are used.
    """
    web = requests.Session()
    web.auth = _no_netrc
    web.headers["Accept-Encoding"] = "gzip"  # which network.py decodes
    adapter = PollAdapter(network, traffic, verify, tls)
    web.mount("https://", adapter)
    web.mount("http://", adapter)
    return web


def _no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
