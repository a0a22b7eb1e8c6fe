"""Several images of one request: each has its result or its error."""

from collections.abc import Sequence
from typing import Final

from service.admission import Deadline
from service.errors import (
    BrokenImage,
    EmptyInput,
    InputTooLarge,
    ServiceError,
    UnsupportedFormat,
)
from service.landmarks import LandmarkService, Result
from service.options import PredictOptions

Outcome = Result | ServiceError

# What one bad image among good ones may be; any other error is the service's, not the image's.
_IMAGE_ERRORS: Final = (EmptyInput, BrokenImage, UnsupportedFormat, InputTooLarge)


async def predict_each(
    service: LandmarkService,
    images: Sequence[bytes],
    options: PredictOptions,
    deadline: Deadline,
    *,
    keep_frame: bool = False,
) -> list[Outcome]:
    """One image after the other, so that a large request takes one slot and not all of them.

    Raises what is the answer to the whole request: a single bad image's error, and trouble of ours
    that left no image answered.
    """
    outcomes: list[Outcome] = []
    with service.chosen(options) as models:
        for image in images:
            try:
                outcomes.append(
                    await service.predict(image, models, options, deadline, keep_frame=keep_frame)
                )
            except ServiceError as error:
                outcomes.append(error)
    _raise_if_whole(outcomes)
    return outcomes


def _raise_if_whole(outcomes: list[Outcome]) -> None:
    errors = [outcome for outcome in outcomes if isinstance(outcome, ServiceError)]
    if len(errors) < len(outcomes):
        return
    if len(errors) == 1:
        raise errors[0]
    for error in errors:
        if not isinstance(error, _IMAGE_ERRORS):
            raise error
