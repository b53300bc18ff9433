"""What the movements of a room decide, and what they report: pure, so that every case of it can be tried."""
