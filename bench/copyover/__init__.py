"""What it costs to replace the program under running players: ``python -m bench --full copyover``.

games       the projects whose hosts are replaced
players     probes, who say a line every 5 ms, and a crowd, who say one now and then: each kind in a process of its own
changeover  copyovers, with the time of each step and what the probes saw meanwhile
freeze      what players notice, beside 100, 1,000 and 10,000 others (G4)
rooms       the pause of a room, of many rooms, of a large one (G5)
aborts      copyovers whose successor fails in its last moment (G7)
"""
