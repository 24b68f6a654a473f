"""What every part uses of the operating system: files, locks, signals, cores, text to print."""
