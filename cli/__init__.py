"""The two commands. Words in, one library call, a table or JSON out; no maths, no loops, no file formats."""
