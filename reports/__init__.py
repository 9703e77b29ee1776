"""Turns a profile and results into HTML, PNG and Markdown. Each room imports only those before it: data, statistics,
findings, figures, pages, commands."""
