"""A study's persistent data: options, settings, trials, trained models and the Pareto front."""
