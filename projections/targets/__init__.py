"""The places that rows are kept in, one file each."""
