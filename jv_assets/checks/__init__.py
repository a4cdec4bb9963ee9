"""The checks: whether scores may be published, and whether published scores are right.

Checks only read. They neither write to production nor draw pages.
"""
