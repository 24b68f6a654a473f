"""One candidate's whole way, and whole trainings of one network."""
