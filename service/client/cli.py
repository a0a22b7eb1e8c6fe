"""`thermal-landmarks stream SOURCE`: a camera or a recording through a running service.

A status line each second on standard error. Exit status: 0 all answered, 1 some frames were not or
the source broke off, 2 the command, a file or the source is wrong, 3 the service cannot be reached.
Ctrl-C ends it as the end of the source does.
"""

import argparse
import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from service.client.aio import AsyncThermalClient
from service.client.arguments import parser, source_options, stream_options
from service.client.errors import ClientError
from service.client.frames import FrameForm, Source, SourceError
from service.client.pictures import Painter, Video
from service.client.records import Csv, JsonLines, Output
from service.client.requests import config_message
from service.client.retry import Retry
from service.client.sources import open_source
from service.client.status import Tally
from service.client.streaming import Streaming
from service.client.viewer import Viewer

DONE, SOME_FAILED, USAGE, NO_SERVICE = range(4)
_EVERY_S: Final = 1.0  # a status line


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, without the word `stream`; returns the exit status."""
    given = parser(__doc__ or "").parse_args(arguments)
    try:
        token = given.token_file.read_text().strip() if given.token_file else None
        source = open_source(given.source, **source_options(given))
    except (SourceError, ValueError, OSError) as error:
        return _complain(error, USAGE)
    try:
        with ExitStack() as stack:
            stack.callback(source.close)
            config_message(source.form, stream_options(given))  # wrong? Then files stay untouched
            outputs = list(_outputs(given, source.form, stack))
            return asyncio.run(_stream(given, source, token, outputs))
    except BrokenPipeError:  # the reader has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the last flush
        return SOME_FAILED
    except SourceError as error:
        return _complain(error, SOME_FAILED)
    except ClientError as error:
        return _complain(error, NO_SERVICE if error.passing else USAGE)
    except OSError as error:  # a file or a port that cannot be had
        return _complain(error, USAGE)


def _outputs(given: argparse.Namespace, form: FrameForm, stack: ExitStack) -> Iterator[Output]:
    """What was asked for; closed with the stack."""
    painter = Painter(form, given.polarity or "auto")
    wanted: tuple[tuple[object, Callable[[], Output]], ...] = (
        (given.json, lambda: JsonLines(given.json)),
        (given.csv, lambda: Csv(given.csv)),
        (given.video, lambda: Video(given.video, painter, form)),
        (given.show, lambda: Viewer(painter, given.show_port)),
    )
    for asked, make in wanted:
        if asked:
            output = make()
            stack.callback(output.close)
            if isinstance(output, Viewer):
                _say(f"watch at {output.url}")
            yield output


async def _stream(
    given: argparse.Namespace, source: Source, token: str | None, outputs: Sequence[Output]
) -> int:
    retry = Retry(attempts=given.attempts)
    options = stream_options(given)
    async with AsyncThermalClient(
        given.server, token=token, tls=given.tls, ca=given.ca, retry=retry
    ) as client:
        answers = client.open_stream(source, on_retry=_say_retry, **options)
        with _ending(answers, given.seconds):
            total = await _follow(answers, outputs, given.max_frames)
    return SOME_FAILED if total.failed else DONE


async def _follow(answers: Streaming, outputs: Sequence[Output], most: int | None) -> Tally:
    """Write all answers, and each second a line about them."""
    began, total, recent = time.monotonic(), Tally(), [Tally()]
    speaking = asyncio.create_task(_speak(recent))
    try:
        async for answer in answers:
            for output in outputs:
                await asyncio.to_thread(output.write, answer)
            total.add(answer)
            recent[0].add(answer)
            if most is not None and total.answered >= most:
                await answers.aclose()
                break
    finally:
        speaking.cancel()
        if total.answered:
            _say(f"{total.answered} frames: {total.line(time.monotonic() - began)}")
    return total


async def _speak(recent: list[Tally]) -> None:
    while True:
        began = time.monotonic()
        await asyncio.sleep(_EVERY_S)
        tally, recent[0] = recent[0], Tally()
        _say(tally.line(time.monotonic() - began))


@contextmanager
def _ending(answers: Streaming, seconds: float | None) -> Iterator[None]:
    """A signal, or the time that was given, ends the stream; a second signal the process."""
    loop = asyncio.get_running_loop()
    closing: list[asyncio.Task[None]] = []
    # Python hears signals in its main thread alone.
    numbers = (signal.SIGINT, signal.SIGTERM)
    heard = numbers if threading.current_thread() is threading.main_thread() else ()

    def end() -> None:
        closing.append(loop.create_task(answers.aclose()))
        for number in heard:
            loop.remove_signal_handler(number)
            # An exception would still wait for threads: of an output that nobody reads, for ever.
            signal.signal(number, signal.SIG_DFL)

    timer = loop.call_later(seconds, end) if seconds is not None else None
    for number in heard:
        loop.add_signal_handler(number, end)
    try:
        yield
    finally:
        if timer:
            timer.cancel()
        for number in heard:
            loop.remove_signal_handler(number)


def _say_retry(error: ClientError, wait: float) -> None:
    _say(f"{error}; again in {wait:.1f} s")


def _complain(error: Exception, status: int) -> int:
    _say(str(error))
    return status


def _say(text: str, **_: Any) -> None:
    print(f"thermal-landmarks: {text}", file=sys.stderr, flush=True)
