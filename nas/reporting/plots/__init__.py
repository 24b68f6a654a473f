"""A module a plot; each takes what the report says and gives a plotly figure, with no theme."""
