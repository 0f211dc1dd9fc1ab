"""The command line: one file a command. It translates between people and the layers below."""
