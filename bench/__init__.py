"""The benchmarks behind `carbonmeter bench`: real services against bare limits and other engines, in one run."""
