"""Simulations of the three hosted vendors, written from their documentation. They really separate
songs.
"""
