"""Who may open what, and who did what: the audit log of a cloud, its witnesses, emergencies.

Users with keys of their own are `mopse.User`; what is given to them is `mopse.Owner.share`, and
what they ask for `mopse.User.request`.
"""

from mopse._audit import AuditLog, Checkpoint, check_log
from mopse._requests import AccessRequest, Decision
from mopse.sharing._emergency import (
    EmergencyArrangement,
    arrange_emergency,
    open_in_emergency,
)
from mopse.sharing._witness import EVENTS, STATEMENTS, Witness, statement

__all__ = [
    "EVENTS",
    "STATEMENTS",
    "AccessRequest",
    "AuditLog",
    "Checkpoint",
    "Decision",
    "EmergencyArrangement",
    "Witness",
    "arrange_emergency",
    "check_log",
    "open_in_emergency",
    "statement",
]
