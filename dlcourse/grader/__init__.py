"""The grader: whole notebooks by people nobody knows, marked fast and without trusting them."""
