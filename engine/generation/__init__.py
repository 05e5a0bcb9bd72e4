"""Generation: lanes of one batch, decoded token by token with the coefficients that were applied."""
