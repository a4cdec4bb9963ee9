"""What the scores mean: exact tallies of many matches that merge, and the reports made of them.

Each report's module has `COLUMNS` (what it reads of a `match_scores` range file), `tally(rows)` for one range, and
`report(tally)` for what all ranges come to:

    merged = total(embedding_isolation.tally(rows) for rows in ranges)  # or kept as JSON in between: to_json, from_json
    shown = embedding_isolation.report(merged)  # plain dicts and lists of records, None where there is nothing to say

Nothing here grows with the number of matches, only with that of profiles.
"""
