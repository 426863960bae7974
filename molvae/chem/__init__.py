"""All that touches RDKit or SELFIES. Nothing here knows of torch."""
