"""The supervisor: starts, watches and restarts the processes of a server; owns no game state.

It must outlive everything else, so it stays small: no database of its own, no event handlers of games,
nothing that a player can reach. What it holds for the others are the listening sockets (connects queue
while a gateway is away), the control socket and the memfd of each host's executing slot.

Known flaw: when the supervisor itself is killed, its children end themselves (their control channel
closes), so players are disconnected; what was acknowledged is in the journal.
"""
