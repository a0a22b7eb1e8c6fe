"""`thermal-landmarks predict | stream`: the command line.

Each command is imported when it is asked for: `stream` is a client, and loads neither the serving
stack nor an inference engine.
"""

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["stream"]:
        # gRPC tells of every lost connection in its own words, and reads this once, at its import.
        os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
        from service.client.cli import main as stream

        return stream(given[1:])
    from service.cli_predict import main as predict

    return predict(given)


if __name__ == "__main__":
    sys.exit(main())
