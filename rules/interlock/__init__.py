"""Interlocks: conditions that force outputs to the safe state, latch, and let go only by a person's steps.

Pure: no I/O, no clock, no chance; time is passed in. The same code decides at the gateway, at the hub and in
replay. `model` is what an interlock is, `inputs` what it hears, `state` what it remembers, `step` and `acts`
what it does, `restart` how it begins. Signed as tables in `docs/explanation/interlocks.md`.

Heng supervises and locks out; this is no certified safety function.
"""
