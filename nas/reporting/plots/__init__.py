"""Plots of a report, one in each module: plotly figures of ``ReportContent``, without a theme."""
