"""What is asked: a YAML text → a frozen `Spec`."""
