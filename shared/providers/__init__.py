"""One file a provider: how to log in, what to poll, what its errors mean. No CMP resource in here.

The engine (``shared/engine/poll.py``) calls these functions of each file:

- ``credentials(raw, ambient)``: the event's dict, checked, as a dataclass; raises ``InvalidEvent``
  naming the key and calls nobody. ``ambient``: the runtime's operator allows the host's own.
  It refuses what is not in ``CREDENTIAL_KEYS``, the names of the credentials that the provider knows.
- ``login(credentials, poll)``: a session; the first network call. ``poll`` is a ``poll.Poll``: the
  session counts its calls in ``poll.traffic`` and keeps to ``poll.deadline``.
- ``scopes(session)``: what is polled side by side (regions, projects, sites), in a stable order;
  each has a ``name``.
- ``account(session)``: the provider's own name of the account, for ``validate_credentials``.
- ``classify(error)``: the ``ConnectorError`` that an exception of its client library means, or None.

``flexlocal permissions`` calls ``least_rights(permissions)``: what the cells' ``PERMISSIONS`` come to, as
the provider's operator would install it (an IAM policy, roles, ...).
"""
