"""What depends on what, across accounts and providers; what breaks with what; what can break everything.

Pure functions over what an inventory holds: it imports ``inventory``, and nothing of providers, connectors or terminals.
``load`` builds a ``Graph`` from resources; ``topology.reading`` reads them from an inventory.
"""

from topology.errors import TopologyError
from topology.graph import Graph, documents, load
from topology.model import Edge, Evidence, Node, Problem, Resource
from topology.stitching import Fact

__all__ = [
    "Edge",
    "Evidence",
    "Fact",
    "Graph",
    "Node",
    "Problem",
    "Resource",
    "TopologyError",
    "documents",
    "load",
]
