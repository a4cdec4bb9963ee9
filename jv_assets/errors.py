"""The one kind of error that is the user's to mend."""


class UserError(Exception):
    """What went wrong and what to do about it, in one line, without a password. `jv` prints it and exits with 2."""
