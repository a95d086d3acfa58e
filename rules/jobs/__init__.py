"""Laboratory work: a small job, what can be done to it, and what its record states. Pure.

=========  ========================================================
`model`    shapes: limit set, job, hold, cause, facts, refusals
`acts`     start, hold, release, finish and the rest
`record`   environment, presence, gaps and holds from given series
`check`    what is wrong with a limit set or a plan
`spans`    stretches of time
=========  ========================================================

Times are ticks of event time. The tables are in docs/explanation/jobs.md.
"""
