"""The documentation for whoever programs against the API, rendered from the OpenAPI document itself."""
