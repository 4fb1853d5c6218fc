"""The optional object store, which holds the files that several machines need.

obstore is imported once a store is set, by `bucket_store.py`, `folder_store.py` and their base.
"""
