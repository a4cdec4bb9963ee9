"""What the assets are given: the database, the embedder, the partition files.

A resource knows no table of ours and no asset.
"""
