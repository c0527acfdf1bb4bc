"""One file or package a provider, whose ``PROVIDER`` the engine uses: see shared/engine/contracts.py."""
