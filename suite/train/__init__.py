"""Cell -> Trials: the only rooms that train."""
