"""The only code that knows every other folder: settings, wiring, HTTP, the command line."""
