"""Plots of a report, a module each: plotly figures of ``ReportContent``, without a theme."""
