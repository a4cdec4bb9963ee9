"""`jv explain`: why one match has its score, as it is stored and as it would be scored now, with or without changes.

Shown are ids, scores, what the rules say of a factor, and how long a profile's fields are: never what is in them.

`terminal.show` is not among the names below: a check explains matches too, and every process that lists the checks
would load all that a terminal needs.
"""

from jv_assets.explain.changes import parse_changes
from jv_assets.explain.explanation import Explanation, explain
from jv_assets.explain.page import to_html

__all__ = ["Explanation", "explain", "parse_changes", "to_html"]
