"""An event as a line: its values, its schema, its bytes."""
