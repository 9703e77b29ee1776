"""Profile and results in; HTML, PNG and Markdown out. Each room knows those before it: data, statistics, findings,
figures, pages, commands."""
