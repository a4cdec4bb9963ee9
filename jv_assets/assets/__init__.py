"""The assets, one module each, named as the asset; what they do in detail is in pipeline/ and reports/.

A body reads as the steps of the job. No SQL.
"""
