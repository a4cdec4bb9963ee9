"""The resources of the assets: the database, the embedder, the partition files.

A resource depends on no table of ours and on no asset.
"""
