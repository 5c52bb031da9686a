"""Quality suites: what the recipes reach on data whose law is known, measured by a command."""
