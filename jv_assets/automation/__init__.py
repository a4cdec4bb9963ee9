"""When runs start and what becomes of them: jobs, schedules, sensors, retries, retention, alerts.

No scoring here, and no SQL on production except what a sensor looks for.
"""
