"""What new code in a running game costs: ``python -m bench --full reload`` (see docs/performance.md).

games       the projects that are edited
typist      a player who types all the time, in a process of its own, and notes when each answer came
edits       saves, orders and reports, with the time of each
pauses waking saves growth rooms peers    the measurements
peer_server                               the other tools, driven as their users drive them
"""
