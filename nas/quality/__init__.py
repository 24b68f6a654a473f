"""Image quality: metrics, tiled enlargement, baselines, and the challenge score."""
