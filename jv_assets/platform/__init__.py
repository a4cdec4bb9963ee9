"""What the program runs on: the embedded Postgres, Dagster's storage and launchers, Celery.

Nothing here reads or writes production.
"""
