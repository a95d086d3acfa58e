"""Driver `osdp`: card readers and keypads on RS-485, through a secure channel."""
