"""Cases: their lists, and all that is known of one."""
