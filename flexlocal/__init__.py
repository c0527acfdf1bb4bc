"""The runtime on a laptop: runs the handlers live, replayed or recorded. Never part of a module."""
