"""The one kind of error that is the user's to mend."""


class UserError(Exception):
    """What went wrong and what to do about it, in one line, without a password. `jv` prints it and exits with 2.

    `is_passing`: the next attempt may go well, as after a lost connection.
    """

    def __init__(self, message: str = "", *, is_passing: bool = False) -> None:
        super().__init__(message)
        self.is_passing = is_passing
