"""Verdicts, as terminals, pull requests and programs take them."""
