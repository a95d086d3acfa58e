"""Alarms: samples in, occurrences out; who is called for them and when; what people did about them. Pure.

=============  ==================================================================================
`model`        rules, templates, samples, occurrences, states
`detect`       one rule over samples in order
`timeline`     all rules of a point over samples in any order
`desk`         the alarm list of a site: its shapes, and the state in which each alarm is shown
`handling`     occurrences come and go, time passes
`acts`         acknowledge, comment, assign, shelve, take out of service, suppress by design
`calls`        which message is due when
`history`      what became of each occurrence
`figures`      how many, how often, how long
`policy`       chains, routes and bounds, as data
`check`        what is wrong with a template or a policy
=============  ==================================================================================

Times are ticks of event time. The tables are in docs/explanation/alarms.md.
"""
