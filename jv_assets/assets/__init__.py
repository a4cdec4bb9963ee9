"""The assets: one module each, with the asset's name. Details are in pipeline/ and reports/.

A body reads as the steps of the job. No SQL here.
"""
