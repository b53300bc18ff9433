"""Web clients: static files, WebSockets, and what is said through them."""
