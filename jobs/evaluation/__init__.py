"""Release designs side by side, on synthetic data only: what each shows, how right it is, and what it proves."""
