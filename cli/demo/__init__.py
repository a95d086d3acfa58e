"""The whole system on one machine: processes, order of start and stop, and a check from outside."""
