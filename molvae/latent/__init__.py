"""Work in the latent space, through a codec: samples and paths."""
