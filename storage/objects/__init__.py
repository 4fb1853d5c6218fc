"""The optional object store, which holds the files that several machines need.

obstore is imported by `obstore_stores.py` alone, which is loaded once a store is set.
"""
