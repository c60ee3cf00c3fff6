"""Training pipeline of tierwise: outcome tables in, a routing artifact out. Depends on `classifier`, never the reverse."""
