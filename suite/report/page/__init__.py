"""Runs as one page that opens from disk."""
