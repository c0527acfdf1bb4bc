"""Sessions of requests as a poll needs them: bounded in time, retried if that helps, never redirected to another host.

``session`` gives a ``requests.Session`` whose adapter does all of this, so that it also works for libraries that
make their own calls (keystoneauth1).
"""

import re
import ssl
from typing import Any, Optional
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
import requests.adapters

from shared.engine.errors import ConnectorError, UnexpectedResponse, Unreachable
from shared.engine.network import CONNECT_TIMEOUT_S, Network
from shared.engine.traffic import Traffic
from shared.transport import decode, http
from shared.transport.throttle import Throttle

PASSING = (
    requests.exceptions.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    requests.exceptions.Timeout,
)


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
        self._throttles: dict[tuple[str, str, int], Throttle] = {}
        super().__init__(pool_connections=http.POOL, pool_maxsize=http.POOL, max_retries=0)

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
        parts = http.url_parts(request.url or "")
        if parts is None:  # it may come from a provider's link or catalog
            raise UnexpectedResponse(f"{request.url} is no URL to send a request to")
        attempt, throttle = 0, self._throttle(parts)
        while True:
            throttle.wait()
            self._deadline.check(f"{request.method} {request.url}")
            attempt += 1
            self._traffic.count(retry=attempt > 1)
            if self._verify is not True:  # otherwise the host's *_CA_BUNDLE would override it
                kwargs["verify"] = self._verify
            kwargs["timeout"] = (
                self._deadline.timeout(CONNECT_TIMEOUT_S),
                self._deadline.timeout(http.READ_TIMEOUT_S),
            )
            try:
                response = super().send(request, **kwargs)
            except requests.exceptions.SSLError:
                raise  # a retry does not change the certificate
            except PASSING as error:
                error.request = error.request or request  # missing if the response broke off
                delay = http.delay_before_retry(attempt, self._deadline)
                if delay is None:
                    raise
                http.announce_retry(self._traffic, attempt, delay, "no usable answer")
            else:
                _refuse_foreign_redirect(request, response)
                if not http.should_retry(response.status_code, response.headers):
                    throttle.served()
                    return response
                requested_s = http.retry_after(response.headers.get("Retry-After"))
                delay = http.delay_before_retry(attempt, self._deadline, requested_s)
                if response.status_code in http.SLOW_DOWN:
                    if delay is None or throttle.hopeless:
                        throttle.give_up()
                        return response
                    http.announce_retry(self._traffic, attempt, delay, "throttled")
                    throttle.hold(delay)
                    continue
                if delay is None:
                    return response
                http.announce_retry(self._traffic, attempt, delay, f"HTTP {response.status_code}")
            self._network.pause(delay)

    def _throttle(self, url: SplitResult) -> Throttle:
        """Of all calls to this server, whatever thread they come from."""
        return self._throttles.setdefault(_origin(url), Throttle(self._network))


def _refuse_foreign_redirect(
    request: requests.PreparedRequest, response: requests.Response
) -> None:
    # keystoneauth1 also follows a 305, which requests does not count as a redirect
    if not (response.is_redirect or response.status_code == 305):
        return
    url, location = request.url or "", response.headers.get("Location", "")
    try:
        whole = not urlsplit(location).scheme or urlsplit(location).netloc  # unlike "http:x"
        usable = whole and location.isascii() and http.URL_TEXT.fullmatch(location)
        target = http.url_parts(urljoin(url, location)) if usable else None
    except ValueError:
        target = None
    if target is None:
        raise UnexpectedResponse(f"{url} redirects to what is no http or https URL")
    if not _same_origin(target, urlsplit(url)):
        raise UnexpectedResponse(
            f"{url} redirects to another place ({location}); if that is the API, use its URL"
        )


def _same_origin(one: SplitResult, other: SplitResult) -> bool:
    """Whether scheme, host and port are the same (RFC 6454, 4)."""
    return _origin(one) == _origin(other)


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return parts.scheme, parts.hostname or "", port


def session(
    network: Network,
    traffic: Traffic,
    *,
    verify: bool = True,
    tls: Optional[ssl.SSLContext] = None,
) -> requests.Session:
    """A requests session for one poll.

    ``tls`` is a context from ``http.trust`` or ``http.trusting``. The host's ``.netrc`` is not read (it would be an ambient
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
