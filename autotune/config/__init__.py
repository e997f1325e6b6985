"""Profiles: what a machine may use, and the strategies that are tried on it, read from TOML."""
