"""Discord's errors: their statuses, their codes, and the error tree of an invalid form body."""

from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

INVALID_FORM = 50035

REFUSALS: dict[int, tuple[int, str]] = {
    0: (404, "404: Not Found"),
    10002: (404, "Unknown Application"),
    10003: (404, "Unknown Channel"),
    10004: (404, "Unknown Guild"),
    10007: (404, "Unknown Member"),
    10008: (404, "Unknown Message"),
    10013: (404, "Unknown User"),
    10015: (404, "Unknown Webhook"),
    10062: (404, "Unknown interaction"),
    10063: (404, "Unknown application command"),
    10097: (404, "Unknown sound"),
    30032: (400, "Maximum number of application commands reached (100)"),
    30045: (400, "Maximum number of soundboard sounds reached"),
    30046: (429, "Maximum number of edits to messages older than 1 hour reached. Try again later."),
    40005: (413, "Request entity too large"),
    40060: (400, "Interaction has already been acknowledged."),
    40094: (400, "This interaction has hit the maximum number of follow up messages"),
    50001: (403, "Missing Access"),
    50003: (403, "Cannot execute action on a DM channel"),
    50005: (403, "Cannot edit a message authored by another user"),
    50006: (400, "Cannot send an empty message"),
    50007: (403, "Cannot send messages to this user"),
    50033: (400, "Invalid Recipient(s)"),
    50013: (403, "Missing Permissions"),
    50027: (401, "Invalid Webhook Token"),
    INVALID_FORM: (400, "Invalid Form Body"),
    50083: (400, "Thread is archived"),
    50109: (400, "The request body contains invalid JSON."),
    50146: (400, "Uploaded file not found."),
    50278: (403, "Cannot send messages to this user due to having no mutual guilds"),
    200000: (400, "Message was blocked by automatic moderation"),
}


class DiscordError(Exception):
    """An error with Discord's code and message. The code determines the status."""

    def __init__(
        self,
        code: int,
        *,
        status: int | None = None,
        message: str | None = None,
        details: Json | None = None,
    ) -> None:
        known_status, known_message = REFUSALS.get(code, (400, "Refused"))
        self.code = code
        self.status = known_status if status is None else status
        self.details = details or {}
        super().__init__(known_message if message is None else message)

    def body(self) -> Json:
        """Return the response's JSON."""
        return {"message": str(self), "code": self.code, **self.details}


class FormErrors:
    """Collects the errors of a form body by dotted path and raises them together."""

    def __init__(self) -> None:
        self._found: dict[str, list[Json]] = {}

    def add(self, path: str, code: str, message: str) -> None:
        """Add an error at a path such as `embeds.0.title`."""
        self._found.setdefault(path, []).append({"code": code, "message": message})

    def raise_if_any(self) -> None:
        """Raise `50035` with all errors, if there are any."""
        if not self._found:
            return
        tree: Json = {}
        for path, errors in self._found.items():
            node = tree
            for step in path.split("."):
                node = node.setdefault(step, {})
            node["_errors"] = errors
        raise DiscordError(INVALID_FORM, details={"errors": tree})

    def text(self, path: str, value: object, *, longest: int, shortest: int = 0) -> str:
        """Check a text's type and length, and return it, or an empty string if it is invalid."""
        if value is None and shortest == 0:
            return ""
        if not isinstance(value, str):
            code = "BASE_TYPE_REQUIRED" if value is None else "BASE_TYPE_STRING"
            self.add(path, code, "This field is required" if value is None else "Must be a string.")
            return ""
        text = value.strip()
        if len(text) > longest:
            message = f"Must be {longest} or fewer in length."
            self.add(path, "BASE_TYPE_MAX_LENGTH", message)
        elif shortest and not text:
            self.add(path, "BASE_TYPE_REQUIRED", "This field is required")
        elif len(text) < shortest:
            message = f"Must be between {shortest} and {longest} in length."
            self.add(path, "BASE_TYPE_BAD_LENGTH", message)
        return text

    def whole(self, path: str, value: object, *, least: int, most: int) -> int | None:
        """Check a whole number's type and range; return it, or None if it is missing or wrong."""
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self.add(path, "NUMBER_TYPE_COERCE", "Value is not an int.")
            return None
        if value < least:
            message = f"Value should be greater than or equal to {least}."
            self.add(path, "NUMBER_TYPE_MIN", message)
            return None
        if value > most:
            message = f"Value should be less than or equal to {most}."
            self.add(path, "NUMBER_TYPE_MAX", message)
            return None
        return value

    def fraction(self, path: str, value: object) -> float | None:
        """Check a number from 0 to 1; return it, or None if it is missing or wrong."""
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.add(path, "NUMBER_TYPE_COERCE", "Value is not a float.")
        elif not 0 <= value <= 1:
            self.add(path, "NUMBER_TYPE_RANGE", "Value should be between 0 and 1.")
        else:
            return float(value)
        return None

    def truth(self, path: str, value: object) -> None:
        """Check that a value is a boolean or missing."""
        if value is not None and not isinstance(value, bool):
            self.add(path, "BOOLEAN_TYPE_CONVERT", "Must be either true or false.")

    def objects(self, path: str, value: object, *, most: int, least: int = 0) -> list[Json]:
        """Check a list's length and that its items are objects, and return those that are."""
        if value is None and least == 0:
            return []
        if not isinstance(value, list):
            self.add(path, "BASE_TYPE_BAD_TYPE", "Only iterables may be used in a ListType")
            return []
        if not least <= len(value) <= most:
            message = f"Must be between {least} and {most} in length."
            self.add(path, "BASE_TYPE_BAD_LENGTH", message)
        for index, item in enumerate(value):
            if not isinstance(item, dict):
                self.add(f"{path}.{index}", "MODEL_TYPE_CONVERT", "Only dictionaries may be used.")
        return [item for item in value if isinstance(item, dict)]
