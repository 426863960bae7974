"""A table of molecules turned into token ids: reading, encoding, splitting, batching."""
