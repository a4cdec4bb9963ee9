"""Fixtures of the odd databases: their templates are made once a run."""

from tests.support.odd import odd_database, templates

__all__ = ["odd_database", "templates"]
