"""The network: torch alone. It takes and gives token ids and never sees a string."""
