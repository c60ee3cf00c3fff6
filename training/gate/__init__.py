"""The learned gate: fitted on answers of known quality, and certified together with the router."""
