"""The process that runs rooms: a shell around the room machine and the host's end of the link.

rooms      one running room: callback, record, journal, release
host       all rooms of this process: the link, time, mail, questions, the operator's commands
recovery   dead hosts' bases and records become running rooms again
bases      rooms become stored bases while they run
asks       questions to the outside
guard      cuts a callback that exceeds its budget
"""
