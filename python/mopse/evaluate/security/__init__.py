"""What attacks recover from runs of this package over a real survey, and a figure of each sweep.

`logins` alone is about made-up passwords.

Each experiment returns a tidy table, one row per (scheme, field, attack, view, aux, seed, provider,
metric), of all repeats; none decides what a figure shows.
"""

from mopse.evaluate._survey import DATA, fields
from mopse.evaluate.security._correlations import correlations, draw_correlations
from mopse.evaluate.security._costs import costs
from mopse.evaluate.security._hospitals import draw_hospitals, hospitals
from mopse.evaluate.security._insider import draw_insider, insider
from mopse.evaluate.security._knowledge import draw_knowledge, knowledge
from mopse.evaluate.security._layouts import draw_layouts, layouts
from mopse.evaluate.security._linked import draw_linked, linked_queries
from mopse.evaluate.security._logins import draw_logins, logins, logins_in_a_day
from mopse.evaluate.security._merging import amplification, draw_amplification
from mopse.evaluate.security._oracles import oracles
from mopse.evaluate.security._queries import boundaries_by_queries, draw_boundaries
from mopse.evaluate.security._records import draw_records_needed, records_needed
from mopse.evaluate.security._setting import FIELDS, TOLERANCES
from mopse.evaluate.security._snapshots import draw_calibration, draw_snapshots, snapshots
from mopse.evaluate.security._subtrees import draw_subtrees, subtrees
from mopse.evaluate.security._tolerances import draw_tolerances, tolerance_curves
from mopse.evaluate.security._updates import draw_updates, updates

__all__ = [
    "DATA",
    "FIELDS",
    "TOLERANCES",
    "amplification",
    "boundaries_by_queries",
    "correlations",
    "costs",
    "draw_amplification",
    "draw_boundaries",
    "draw_calibration",
    "draw_correlations",
    "draw_hospitals",
    "draw_insider",
    "draw_knowledge",
    "draw_layouts",
    "draw_linked",
    "draw_logins",
    "draw_records_needed",
    "draw_snapshots",
    "draw_subtrees",
    "draw_tolerances",
    "draw_updates",
    "fields",
    "hospitals",
    "insider",
    "knowledge",
    "layouts",
    "linked_queries",
    "logins",
    "logins_in_a_day",
    "oracles",
    "records_needed",
    "snapshots",
    "subtrees",
    "tolerance_curves",
    "updates",
]
