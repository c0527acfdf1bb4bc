"""What can go wrong with a question about the topology. Each error says what is wrong, and what to do about it."""


class TopologyError(Exception):
    """``message`` says what is wrong, ``action`` what to do."""

    def __init__(self, message: str, action: str):
        super().__init__(f"{message}: {action}")
        self.message = message
        self.action = action


class UnknownNode(TopologyError):
    """No resource has the id or the name."""


class AmbiguousNode(TopologyError):
    """Several resources have the id or the name."""


class InvalidCliques(TopologyError):
    """A file of clique types can't be used."""


class InvalidQuestion(TopologyError):
    """The question can't be answered as it is put."""
