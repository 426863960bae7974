"""Property-guided sampling, through a codec: what is wanted, how it is searched for, a run."""
