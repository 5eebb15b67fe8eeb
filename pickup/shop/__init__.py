"""A demo shop over the public API and nothing else: what an integrator reads first.

Begin with `client.py` (the calls) and `views.py` (when they are made). Nothing here knows a table, a model or a service
of this system; it could run on another machine as it stands.
"""
