"""How often something changes, from polls that did or did not see a change, and how often to poll it then.

The model: changes come one by one, at random, and at a constant rate (a Poisson process). A poll sees only *whether*
something changed since the poll before, so of ``n`` polls with gaps ``g`` each saw a change with the chance
``1 - exp(-rate * g)``. The bounds of the rate are those of Clopper and Pearson (Biometrika 26, 1934) for the share of
polls that saw a change, turned into a rate; they hold for gaps of any lengths, since such a sum varies less than a
binomial one of the same mean (Hoeffding, Annals of Mathematical Statistics 27, 1956).

Its limits: changes come in bursts, by day and not by night; the rate is then that of a mean hour, and in a busy one a
fact is out of date more often than the proposal says. What changed and changed back between two polls is not seen. How
long a poll takes is not counted. So this proposes, and a person decides.
"""

import collections
import dataclasses
import functools
import math
from collections.abc import Iterable
from typing import Optional

DAY_S = 86400
FEWEST_POLLS = 30  # gaps between polls, for a proposal
SHORTEST_SPAN_S = 7 * DAY_S  # the same: a week has nights and a Sunday
SHORTEST_S, LONGEST_S = 10, DAY_S  # of what is proposed
CONFIDENCE = 0.95  # of the bounds, both together
# What is proposed: intervals as a person chooses them.
STEPS_S = (
    *(10, 15, 20, 30, 60, 120, 180, 300, 600, 900, 1200, 1800),
    *(3600, 7200, 10800, 14400, 21600, 28800, 43200, DAY_S),
)
_TINY = 1e-15
_TERMS = 500  # of a continued fraction, which needs a few dozen


@dataclasses.dataclass(frozen=True)
class Rate:
    """Changes a day: the estimate and its bounds, from ``polls`` gaps of ``span_s`` seconds in all, of which
    ``changed`` had a change. ``a_day`` and ``most`` are infinite if every poll saw one."""

    polls: int
    changed: int
    span_s: float
    a_day: float
    least: float
    most: float

    @property
    def enough(self) -> bool:
        """Whether an interval may be proposed from it."""
        return self.polls >= FEWEST_POLLS and self.span_s >= SHORTEST_SPAN_S


def rate(gaps: Iterable[tuple[float, bool]]) -> Rate:
    """``gaps``: the seconds between a poll and the one before, and whether something had changed."""
    counted: collections.Counter[int] = collections.Counter()
    changed = 0
    for seconds, there in gaps:
        counted[max(1, round(seconds))] += 1
        changed += there
    polls = sum(counted.values())
    span = float(sum(seconds * count for seconds, count in counted.items()))
    if not polls:
        return Rate(0, 0, 0.0, 0.0, 0.0, math.inf)
    least, most = bounds(changed, polls)
    found = (_rate_of(share, counted) * DAY_S for share in (changed / polls, least, most))
    return Rate(polls, changed, span, *found)


def _rate_of(share: float, gaps: "collections.Counter[int]") -> float:
    """The rate (1/s) at which this share of the polls is expected to see a change."""
    if share <= 0:
        return 0.0
    if share >= 1:
        return math.inf
    polls = sum(gaps.values())
    mean = sum(seconds * count for seconds, count in gaps.items()) / polls
    found = -math.log1p(-share) / mean  # of equal gaps; else it is less than the rate
    for _ in range(100):  # Newton's steps never pass the rate: the expected share is concave
        expected = slope = 0.0
        for seconds, count in gaps.items():
            unchanged = math.exp(-found * seconds)
            expected += count * (1 - unchanged)
            slope += count * seconds * unchanged
        step = (share * polls - expected) / slope
        found += step
        if abs(step) <= 1e-12 * found:
            break
    return found


@functools.lru_cache(maxsize=4096)
def bounds(changed: int, polls: int) -> tuple[float, float]:
    """Clopper and Pearson's bounds of a share: ``changed`` of ``polls``."""
    tail = (1 - CONFIDENCE) / 2
    least = _quantile(tail, changed, polls - changed + 1) if changed else 0.0
    most = _quantile(1 - tail, changed + 1, polls - changed) if changed < polls else 1.0
    return least, most


def _quantile(level: float, a: float, b: float) -> float:
    """Of the beta distribution."""
    low, high = 0.0, 1.0
    while high - low > 1e-13 * max(high, 1e-9):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if _beta(middle, a, b) < level:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _beta(x: float, a: float, b: float) -> float:
    """The regularized incomplete beta function, by its continued fraction (DLMF 8.17.22)."""
    if x <= 0 or x >= 1:
        return min(1.0, max(0.0, x))
    if x > (a + 1) / (a + b + 2):  # where the fraction converges slowly
        return 1 - _beta(1 - x, b, a)
    log = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x)
    front = math.exp(log + b * math.log1p(-x)) / a
    numerator, denominator, found = 1.0, 0.0, 1.0  # the fraction from its beginning (Lentz)
    for number in range(_TERMS):
        m = number // 2
        if number == 0:
            term = 1.0
        elif number % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        denominator = 1 + term * denominator
        denominator = 1 / (denominator if abs(denominator) > _TINY else _TINY)
        numerator = 1 + term / (numerator if abs(numerator) > _TINY else _TINY)
        found *= numerator * denominator
        if number and abs(numerator * denominator - 1) < 1e-14:
            break
    return front * (found - 1)


def chance_out_of_date(a_day: float, every_s: float, stale_s: float) -> float:
    """The chance that, at any moment, something is shown that has been out of date for more than ``stale_s``.

    ``every_s``: from one poll to the next. At a moment ``t`` after a poll that is so if something changed in the first
    ``t - stale_s``; this is the mean over ``t``.
    """
    room = every_s - stale_s
    if room <= 0 or a_day <= 0:
        return 0.0
    if math.isinf(a_day):
        return room / every_s
    changes = a_day / DAY_S * room
    if changes < 1e-4:  # the difference below would have no digits left
        return room / every_s * (changes / 2 - changes**2 / 6)
    return room / every_s * (1 + math.expm1(-changes) / changes)


def proposed(
    found: Rate,
    stale_s: float,
    chance: float,
    shortest_s: float = SHORTEST_S,
) -> Optional[int]:
    """The longest of ``STEPS_S`` at which the chance of ``chance_out_of_date`` is at most ``chance``, whatever rate
    within the bounds is the true one; ``shortest_s`` if none is, and a day at most. None: there are not enough polls."""
    if not found.enough:
        return None
    allowed = [step for step in STEPS_S if max(SHORTEST_S, shortest_s) <= step <= LONGEST_S]
    for step in reversed(allowed):
        if chance_out_of_date(found.most, step, stale_s) <= chance:
            return step
    return min(LONGEST_S, max(SHORTEST_S, math.ceil(shortest_s)))
