"""`jv explain`: why a match has its score, as stored and as it would be scored now, with or without changes.

It shows ids, scores, the rules' words on each factor, and the lengths of a profile's fields, never their contents. It
shows the names of the profiles only with `--names`.

The terminal's tables are not exported here: a check explains matches too, and every process that lists the checks would
load them.
"""

from jv_assets.explain.changes import parse_changes
from jv_assets.explain.explanation import Explanation, explain
from jv_assets.explain.fields import fields
from jv_assets.explain.names import with_names
from jv_assets.explain.page import to_html
from jv_assets.explain.pair import explain_profiles, score_now

__all__ = [
    "Explanation",
    "explain",
    "explain_profiles",
    "fields",
    "parse_changes",
    "score_now",
    "to_html",
    "with_names",
]
