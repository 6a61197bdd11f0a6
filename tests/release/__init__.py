"""What is uploaded: the archives, as they are built."""
