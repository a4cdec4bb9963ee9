"""Trials: a policy or a calibration beside production, night by night, and the criteria that judge it."""
