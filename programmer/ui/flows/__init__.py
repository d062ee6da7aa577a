"""What follows what: each flow shows screens and answers what they post. Decisions are the visit's."""
