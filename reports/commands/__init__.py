"""The verbs: options, messages, exit codes."""
