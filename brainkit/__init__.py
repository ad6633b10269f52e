"""brainkit: brain-like convolutional nets, their adversaries and their manifolds."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("brainkit")
except PackageNotFoundError:  # imported from a source tree that was never installed
    __version__ = "(not installed)"
