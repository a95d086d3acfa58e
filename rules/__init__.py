"""Pure decisions, the same at the edge and in the hub: values in, decision out; no I/O, no clock."""
