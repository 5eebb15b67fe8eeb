"""The start page: says where everything is."""
