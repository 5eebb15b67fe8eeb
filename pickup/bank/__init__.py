"""The sandbox's bank: the page on which a customer confirms a test payment, as a real bank's 3-D Secure page would."""
