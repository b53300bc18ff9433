"""The process that holds players' sockets: telnet, sessions, the login dialogue. It knows no game rule."""
