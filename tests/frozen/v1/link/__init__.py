"""The exactly-once channel between gateways and hosts, without any input or output of its own."""
