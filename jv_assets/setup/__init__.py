"""Preparing a database and examining it."""
