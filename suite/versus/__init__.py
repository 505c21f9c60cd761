"""Two Python environments in one sitting: their losses, and their times, taken in turns."""
