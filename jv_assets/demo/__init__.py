"""The synthetic population of `jv demo` and `jv load demo`.

Invented people only, and nothing that the pipeline needs.
"""
