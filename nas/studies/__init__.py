"""What a study keeps: settings, trials, models, and the Pareto front that comes of them."""
