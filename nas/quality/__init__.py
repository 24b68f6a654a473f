"""How close an enlargement comes to the original: metrics, tiles, baselines, the score."""
