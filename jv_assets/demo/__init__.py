"""The synthetic population of `jv demo` and `jv load demo`.

All people are invented. The pipeline itself needs nothing from here.
"""
