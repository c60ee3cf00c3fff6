"""Training pipeline of tierwise: outcome tables in, a routing artifact out."""
