"""What a checkout needs to run on a bare machine; nothing in production imports it."""
