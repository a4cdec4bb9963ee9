"""What the assets' steps call: reading, embedding, scoring and publishing."""
