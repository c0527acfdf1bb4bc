"""One file a provider: how to log in, what to poll, what its errors mean. No CMP resource in here.

Each file has four functions that the engine (``shared/run.py``) calls:

- ``credentials(raw, options)``: the event's dict, checked; raises ``InvalidEvent``, calls nobody.
- ``login(credentials, poll)``: a session; the first network call.
- ``scopes(session)``: what is polled side by side (regions, projects, sites), in a stable order.
- ``classify(error)``: the ``ConnectorError`` that a client library's exception means, or None.

and ``account(session)``, what ``validate_credentials`` answers with.
"""
