"""Verdicts -> what people and programs read. Never imports torch."""
