"""Errors that the user can fix."""


class UserError(Exception):
    """A cause and a cure in one line, without a password. `jv` prints it and exits with 2.

    `is_passing`: a retry may succeed, such as after a lost connection.
    """

    def __init__(self, message: str = "", *, is_passing: bool = False) -> None:
        super().__init__(message)
        self.is_passing = is_passing


class CallError(UserError):
    """A word of the command line that cannot be meant. `jv` adds which help to read."""
