"""The version of the distribution `tierwise`."""

__version__ = "0.1.0"
