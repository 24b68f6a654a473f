"""Reports of a study: a self-contained HTML file, and attachments of Optuna's dashboard."""
