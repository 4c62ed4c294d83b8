"""What a handler may raise to steer its delivery."""


class RetryLater(Exception):  # noqa: N818 - a wish, not an error
    """The event cannot be handled yet; it comes again after *delay_seconds*."""

    def __init__(self, delay_seconds: float) -> None:
        super().__init__(f"again in {delay_seconds} s")
        self.delay_seconds = delay_seconds
