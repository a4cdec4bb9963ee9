"""The steps of the assets, a module a step: read, embed, score, publish, undo, and what is unchanged since last time.

What several steps need stands in rooms below them: `texts` of profiles, scores of `matches`, and the `database`.
Nothing here depends on runs, pages or the command line.
"""
