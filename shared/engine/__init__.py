"""What every poll shares: event, deadline, network, errors and log. Nothing here knows a provider or a family."""
