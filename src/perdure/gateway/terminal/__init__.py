"""What a text terminal shows: cleaned, coloured, wrapped and paged text, with a prompt behind it."""
