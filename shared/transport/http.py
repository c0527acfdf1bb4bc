"""What all HTTP of a poll has in common, whichever library it goes through: retries, URLs, CAs.

shared/transport/sessions.py makes sessions of requests with it. botocore has its own HTTP stack, into which the AWS
provider hooks ``delay_before_retry``: so nothing here imports requests, a tenth of a cold start.
"""

import email.utils
import ipaddress
import random
import re
import ssl
import time
from typing import Any, Optional
from urllib.parse import SplitResult, urlsplit

from urllib3.util.ssl_ import create_urllib3_context

from shared.engine.deadline import Deadline
from shared.engine.errors import InvalidEvent
from shared.engine.traffic import Traffic

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
# A server that is overloaded sends 503, with Retry-After or without (RFC 9110, 15.6.4); so do many that throttle.
SLOW_DOWN = (*THROTTLED, 503)


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


def announce_retry(traffic: Traffic, attempt: int, delay: float, why: str) -> None:
    """Tell who watches the poll that there is another attempt in ``delay`` seconds, after so many."""
    traffic.news("retry", why=why, number=attempt, of=ATTEMPTS - 1, seconds=delay)


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
URL_TEXT = re.compile(r"[^\s\x00-\x20\x7f-\xa0\ud800-\udfff\\<>\"^`{|}]+")


def url_parts(text: str) -> Optional[SplitResult]:
    """The parts of an http or https URL that a request can be sent to; None for any other text.

    Stricter than urlsplit, which accepts nearly anything and splits some of it differently from urllib3.
    """
    if not URL_TEXT.fullmatch(text):
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


def trusting(pem: str) -> ssl.SSLContext:
    """A TLS context for a session that also trusts the CA in this PEM text.

    Raises ssl.SSLError, TypeError or ValueError if the text is not PEM. It is urllib3's own kind of context: with any
    other, urllib3 1.26 does not check the host name if it is an address.
    """
    tls: ssl.SSLContext = create_urllib3_context()
    tls.load_verify_locations(cadata=pem)
    return tls


def trust(cacert: Optional[str], verify: bool) -> Optional[ssl.SSLContext]:
    """The ``tls`` of a session for an account's ``cacert``, which is PEM text.

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
    except (ssl.SSLError, TypeError, ValueError):  # TypeError: it is not ASCII
        raise InvalidEvent("credentials.cacert is no usable PEM text") from None
    return tls if verify else None
