"""Everything cryptographic: keys, sealed rows, envelopes for the bus, tokens, signatures.

The only package that imports ``cryptography``.
"""
