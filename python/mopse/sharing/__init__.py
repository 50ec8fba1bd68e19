"""Who may open what, and who did what: kinds of readers, the audit log of a cloud, emergencies.

Users with keys of their own are `mopse.User`; what is given to them is `mopse.Owner.share`, and
what they ask for `mopse.User.request`. What the literature has instead: `reencryption`.
"""

from mopse._audit import AuditLog, Checkpoint, check_log
from mopse._deidentified import coarsen, deidentified, drop, keep, pseudonym, shift_dates
from mopse._reidentification import reidentification
from mopse._requests import AccessRequest, Decision
from mopse.sharing import reencryption
from mopse.sharing._emergency import (
    EmergencyArrangement,
    arrange_emergency,
    open_in_emergency,
)
from mopse.sharing._roles import PUBLISHED_ROLES, portions_of
from mopse.sharing._witness import EVENTS, STATEMENTS, Witness, statement

__all__ = [
    "EVENTS",
    "PUBLISHED_ROLES",
    "STATEMENTS",
    "AccessRequest",
    "AuditLog",
    "Checkpoint",
    "Decision",
    "EmergencyArrangement",
    "Witness",
    "arrange_emergency",
    "check_log",
    "coarsen",
    "deidentified",
    "drop",
    "keep",
    "open_in_emergency",
    "portions_of",
    "pseudonym",
    "reencryption",
    "reidentification",
    "shift_dates",
    "statement",
]
