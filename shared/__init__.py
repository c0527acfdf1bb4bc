"""What every connector module is shipped with. Nothing in here knows a resource family."""
