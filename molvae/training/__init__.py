"""The training loop. It takes batches, not files, and knows no molecules."""
