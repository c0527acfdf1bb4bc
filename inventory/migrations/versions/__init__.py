"""One file a revision, named and numbered in order: a greater number is newer."""
