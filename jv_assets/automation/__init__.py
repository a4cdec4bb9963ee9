"""When something runs and what becomes of it: jobs, schedules, sensors, retries, retention, alerts.

No scoring and no SQL on production but what a sensor looks for.
"""
