"""How cases came out in run after run, and where that changed for good."""
