"""What the database knows of matches beside their scores: states, rules, logs, the units of undo.

The steps that read, score and publish them are one floor up.
"""
