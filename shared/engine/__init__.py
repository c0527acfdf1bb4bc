"""What a poll is: its event, deadline, network, errors, log and outcome. It knows no provider and no family."""
