"""The family of VCA status: what configures network functions, and how it fares."""
