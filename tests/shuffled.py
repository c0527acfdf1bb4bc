"""Makes every server of the tests answer after a random wait, so that calls made side by side arrive in another order.

A test that fails only with it depends on that order: ``make test-shuffled``. The waits are random because a run is
meant to find what the next one may not; nothing of ``make test`` loads this.
"""

import http.server
import random
import time

LONGEST_S = 0.06

_parse_request = http.server.BaseHTTPRequestHandler.parse_request


def _late(handler: http.server.BaseHTTPRequestHandler) -> bool:
    understood = _parse_request(handler)
    time.sleep(random.uniform(0, LONGEST_S))
    return understood


http.server.BaseHTTPRequestHandler.parse_request = _late  # type: ignore[method-assign]
