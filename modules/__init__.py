"""One package a resource family; one file a provider in it."""
