"""Order-preserving encryption of health-record indexes."""

from mopse import errors, plot

__all__ = ["errors", "plot"]
