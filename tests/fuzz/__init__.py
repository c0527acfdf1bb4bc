"""Fuzzing: whatever arrives, an answer or a documented error, without a secret, soon. See docs/develop/testing.md."""
