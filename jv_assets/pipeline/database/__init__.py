"""How any table is read and written: which database this is, intervals of ids, values, locks, counted writes.

Nothing here knows what a score is.
"""
