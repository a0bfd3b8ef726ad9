"""Decoders, one file a version of a format: bytes in; readings or a DecodeError out, whatever the bytes."""
