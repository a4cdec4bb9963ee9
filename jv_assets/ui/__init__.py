"""Serve the pages: the processes of `jv ui` and `jv workers`, their ports, the report server.

Nothing here knows what an asset does.
"""
