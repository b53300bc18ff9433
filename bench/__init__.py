"""What Perdure costs, measured: ``python -m bench`` (see docs/performance.md).

report        a measurement's result, as a table, as JSON, as markdown
projects      the games and projects that are measured, written to a temporary folder
processes     a whole server, or one host alone, started for a measurement and ended with it
load          the load client: many players in a process of its own
callbacks snapshots recovery acknowledgement echo commands heartbeats memory reload.* copyover.*    the measurements
peers.*       beside Evennia, in an environment of its own
semantics     what a reload means, with Perdure and with other tools (see docs/reference/reload-semantics.md)
"""
