"""Text tables of any origin: read as text, told what is wrong with them."""
