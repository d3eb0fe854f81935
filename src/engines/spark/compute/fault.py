"""What a step cannot do, however often it is tried."""

import re

# SQLSTATE classes that blame the query or the data: what Spark does not have, cardinality, data exception, syntax or access rule.
BLAME_THE_USER = ("0A", "21", "22", "42")
# Spark tells of these as of a file that could not be read; what is wrong in it stands in the cause.
MALFORMED = re.compile(r"\[(MALFORMED_RECORD_IN_PARSING|MALFORMED_CSV_RECORD)[^\]]*\][^\n]*")
MESSAGE_LENGTH = 2_000


class Fault(Exception):
    """For the user: `type` is that of the service's own error."""

    def __init__(self, type, message):
        super().__init__(message)
        self.type = type


def message_for_user(error):
    """What Spark has against the query or the data, without the plan and the stack that follow; None: it has nothing."""
    text = str(error)
    malformed = MALFORMED.search(text)
    if malformed is not None:
        return malformed.group(0)[:MESSAGE_LENGTH]
    if "univocity.parsers.common.TextParsingException" in text:
        return "a quoted field of a CSV file has a quote inside that is not doubled"
    state = getattr(error, "getSqlState", lambda: None)() or ""
    if not state.startswith(BLAME_THE_USER):
        return None
    return re.split(r";\n'|\nJVM stacktrace:|\n== SQL", text)[0].strip()[:MESSAGE_LENGTH]
