"""What a person sees of a study: one HTML file that needs no network, and Optuna's dashboard."""
