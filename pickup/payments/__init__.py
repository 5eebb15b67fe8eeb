"""The money: gateways, authorise, capture, void, refund."""
