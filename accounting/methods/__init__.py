"""The guidelines as data: which emission sources an industry has under an edition, and what each needs."""
