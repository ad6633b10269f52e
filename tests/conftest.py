"""Fixtures that several test files use."""

from made_assets import asset, served  # noqa: F401
