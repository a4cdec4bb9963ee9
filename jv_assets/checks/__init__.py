"""Whether scores may be published, and whether what was published is right.

Checks read; they neither write to production nor draw pages.
"""
