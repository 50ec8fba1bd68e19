"""What all figures share: roles, scales, and who looks the same everywhere."""

from typing import Literal

__all__ = ["CONTROL", "OPEN", "SLOTS"]

CONTROL = "Plain"
"""The series that is the control wherever no other is named."""

SLOTS = {
    "MOPSE": 0,
    "OPSE, one key per provider": 1,
    "MOPSE+": 2,
    "OPSE, one common key": 3,
}
"""Series with a colour and a marker of their own in every figure."""

Scale = Literal["linear", "log2", "log10"]
Role = Literal["series", "control", "expected"]
Range = tuple[float | None, float | None]

OPEN: Range = (None, None)
