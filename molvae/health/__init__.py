"""The report on a latent space: what is measured, and what it means in words."""
