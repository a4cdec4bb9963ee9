"""The steps of the assets: read, embed, score, publish, undo, and what is unchanged since last time.

Nothing here depends on runs, pages or the command line.
"""
