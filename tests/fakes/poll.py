"""A poll for tests that talk to a provider's session without the engine."""

from shared.engine.contracts import Poll
from shared.engine.deadline import Deadline
from shared.engine.network import Network
from shared.engine.traffic import Traffic
from shared.engine.workers import Workers


def a_poll(family, *, request=None, deadline=None, traffic=None, log=None, network=None, spare=0):
    """A poll of the family; with ``spare`` threads besides the scope's own."""
    deadline = deadline or Deadline(60)
    network = network or Network(deadline)
    workers = Workers(network, spare)
    return Poll(family, request, deadline, traffic or Traffic(), log, network, workers)
