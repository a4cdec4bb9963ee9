"""The steps of the assets: read, embed, score, publish, undo, and what is unchanged since last time.

Nothing here knows of runs, pages or the command line.
"""
