"""HTTP as a poll needs it: bounded in time, retried where that helps, never to a host not asked for.

``session`` gives a ``requests.Session`` whose adapter does all of this, so that it also serves
libraries that bring their own calls (keystoneauth1). botocore has its own HTTP stack; its provider
file hooks ``delay_before_retry`` and ``Traffic`` into it.
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
ATTEMPTS = 8  # throttling windows are some 10 s long; 8 tries span about a minute
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 20.0
ROOM_FOR_A_CALL_S = 1.0  # a retry that has less than this after its delay is not worth starting
LONGEST_HOST = 253  # characters of a name (RFC 1035, with the length bytes)
POOL = 8  # connections kept a host: as many as scopes run side by side

# 413 with Retry-After is how Nova's old rate limiter said 429.
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
    """Seconds to wait before trying again, or None where there must be no other try.

    ``attempt`` is how many tries were made. Exponential with full jitter, so that the scopes that
    were throttled together do not come back together; never shorter than the provider asked for;
    None when the tries are used up or the deadline leaves no room for the delay and a call.
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
    """Seconds that a Retry-After header asks for (RFC 9110, 10.2.3: seconds or a date)."""
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
    """Whether an answer of this status may be another one next time."""
    if status == 413:
        return "Retry-After" in headers
    return status in THROTTLED or status in TRANSIENT


# --- URLs -----------------------------------------------------------------------------------------


def without_query(url: str) -> str:
    """The URL without its query, user name and password.

    For URLs of our own: of a server's, a secret may have one of the characters that it is cut at. Errors
    name those as they are, and the engine leaves their queries out after masking.
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


# No blanks, control characters, halves of surrogate pairs, nor what RFC 3986 leaves out of all URLs.
_URL_TEXT = re.compile(r"[^\s\x00-\x20\x7f-\xa0\ud800-\udfff\\<>\"^`{|}]+")


def url_parts(text: str) -> Optional[SplitResult]:
    """The parts of an http or https URL that a request can be sent to; None where it is none.

    Stricter than urlsplit, which takes nearly anything, and does not agree with urllib3 on all of it.
    """
    if not _URL_TEXT.fullmatch(text):
        return None
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:
        return None
    host = parts.hostname or ""
    if "[" in parts.netloc:  # older Pythons take any text in brackets for an address
        host = f"[{host}]"
    if not usable or "@" in parts.netloc or not usable_host(host):
        return None
    return parts


def usable_host(host: str) -> bool:
    """Whether it is an address or a name that can be looked up (RFC 1035, 2.3.4: labels of 1 to 63)."""
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
    """An account's URL, in its parts. Raises InvalidEvent naming the key where it can't be one of ``what``."""
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


# --- answers --------------------------------------------------------------------------------------


def json_of(response: requests.Response, *, nan: bool = False) -> Any:
    """The value that an answer's body is; UnexpectedResponse where it is no JSON that can be used.

    ``nan``: take NaN and Infinity for null.
    """
    where = response.url or ""
    kind = response.headers.get("Content-Type", "no content type")
    return decode.json_answer(response.content, where, kind, nan=nan)


def json_or_none(response: requests.Response) -> Any:
    """As ``json_of``, but None: for what a refusal says, which may be a proxy's own page."""
    try:
        return json_of(response)
    except UnexpectedResponse:
        return None


class _Response(requests.Response):
    """An answer whose ``json`` is our reader's, also for libraries that read answers themselves."""

    def json(self, **kwargs: Any) -> Any:
        try:
            return json_of(self)
        except UnexpectedResponse as error:
            raise ValueError(error.message) from None  # what keystoneauth1 knows how to take


def classify(error: Exception, who: str) -> Optional[ConnectorError]:
    """What a requests exception means; None for what is not requests'. ``who`` was asked."""
    if not isinstance(error, requests.exceptions.RequestException):
        return None
    where = error.request.url if error.request else who
    about = f"{where}: {_reason(error)}"
    if isinstance(error, requests.exceptions.SSLError):
        return Unreachable(f"TLS failed: {about}")
    return Unreachable(about) if isinstance(error, PASSING) else UnexpectedResponse(about)


def _reason(error: Exception) -> str:
    """The innermost words of an error that requests and urllib3 wrapped, without the query."""
    inner: Any = error.args[0] if error.args else error
    inner = getattr(inner, "reason", None) or inner
    text = re.sub(r"<[^<>]* object at 0x[0-9a-f]+>:? *", "", str(inner))
    return f"{type(error).__name__}: {text}"


class PollAdapter(requests.adapters.HTTPAdapter):
    """Gives each call the time that is left, reads its body, and retries what may pass.

    A redirect to another scheme, host or port is refused: the headers that go along hold the account's
    token, and what listens there need not be the API.
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
        manager.pool_classes_by_scheme = self._network.pools(manager.pool_classes_by_scheme)
        self._network.at_end(manager.clear)

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        response = super().build_response(req, resp)
        response.__class__ = _Response
        return response

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        if url_parts(request.url or "") is None:  # a provider's own link or catalog
            raise UnexpectedResponse(f"{request.url} is no URL to send a request to")
        attempt = 0
        while True:
            self._deadline.check(f"{request.method} {request.url}")
            attempt += 1
            self._traffic.count(retry=attempt > 1)
            if self._verify is not True:  # else requests lets the host's *_CA_BUNDLE overrule it
                kwargs["verify"] = self._verify
            kwargs["timeout"] = (
                self._deadline.timeout(CONNECT_TIMEOUT_S),
                self._deadline.timeout(READ_TIMEOUT_S),
            )
            try:
                response = super().send(request, **kwargs)
            except requests.exceptions.SSLError:
                raise  # a certificate does not get better
            except PASSING as error:
                error.request = error.request or request  # a broken-off answer's error lacks it
                delay = delay_before_retry(attempt, self._deadline)
                if delay is None:
                    raise
            else:
                _refuse_foreign_redirect(request, response)
                if not should_retry(response.status_code, response.headers):
                    return response
                asked = retry_after(response.headers.get("Retry-After"))
                delay = delay_before_retry(attempt, self._deadline, asked)
                if delay is None:
                    return response
            self._network.pause(delay)


def _refuse_foreign_redirect(
    request: requests.PreparedRequest, response: requests.Response
) -> None:
    # keystoneauth1 also follows a 305, which requests takes for no redirect
    if not (response.is_redirect or response.status_code == 305):
        return
    url, location = request.url or "", response.headers.get("Location", "")
    try:
        whole = not urlsplit(location).scheme or urlsplit(location).netloc  # "http:x" is neither
        usable = whole and location.isascii() and _URL_TEXT.fullmatch(location)
        target = url_parts(urljoin(url, location)) if usable else None
    except ValueError:
        target = None
    if target is None:
        raise UnexpectedResponse(f"{url} redirects to what is no http or https URL")
    if not _same_origin(target, urlsplit(url)):
        raise UnexpectedResponse(
            f"{url} redirects to another place ({location}); if that is the API, give its URL"
        )


def trusting(pem: str) -> ssl.SSLContext:
    """A TLS context for ``session`` that trusts the CA in this PEM text too.

    Raises ssl.SSLError or ValueError if the text is none. urllib3's own kind of context: with any other,
    urllib3 1.26 does not check the host's name where that is an address.
    """
    made = create_urllib3_context()
    made.load_verify_locations(cadata=pem)
    return made


def trust(cacert: Optional[str], verify: bool) -> Optional[ssl.SSLContext]:
    """The ``tls`` of ``session`` for an account's ``cacert``, which is PEM text.

    Raises InvalidEvent where it is none, also where nothing is verified. It is never taken for a path: whether
    a file is there is nobody's business, and a FaaS has none of the account's.
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

    ``tls`` is a context of ``trust`` or ``trusting``. The host's ``.netrc`` is not read (it would be an ambient
    credential); its proxy settings are.
    """
    made = requests.Session()
    made.auth = _no_netrc
    made.headers["Accept-Encoding"] = "gzip"  # what the network decodes
    adapter = PollAdapter(network, traffic, verify, tls)
    made.mount("https://", adapter)
    made.mount("http://", adapter)
    return made


def _no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
