"""The process that runs rooms: a shell around the room machine and the host's end of the link.

process      puts a host together: stores, programs, link, control
host         all rooms of the process, and what happens to them
running      one running room, and what it holds back
taking       recovery, claim and first base of a room
recovery     what dead hosts' journals say
bases        sealed snapshots in the store
checkpoints  running rooms become bases
ledger       records become durable, then are released
agenda       when which room is due
mail         letters between rooms
asks         questions to the outside
links        the socket to the gateway
weight       what a booting host leaves to the others
guard        cuts a callback that exceeds its budget
"""
