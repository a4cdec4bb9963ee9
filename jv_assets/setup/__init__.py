"""Set up and check a database: doctor, grant, load, status, migrations.

Nothing here scores or publishes.
"""
