"""The command line's commands: parse arguments, call one flow, show its result."""
