"""`whimbrel inspect`: what a file's layout seems to be, why, and a draft of the mapping that reads it."""
