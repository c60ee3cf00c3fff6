"""The command line: options, progress and what is shown. Everything else can be done from Python."""
