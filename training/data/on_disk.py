"""Training samples from data sets on disk, as map-style data sets.

Sample `i` is the same in every process and after every resumption. Training indices have no upper
end: they go round all faces, each time with another variation. Validation takes as many faces as
asked for, spread over the set, in the very crops that serving makes; there, points that nobody
marked are nan, so that no length is measured from them. In training they are finite: 0 times nan is
nan.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from torch.utils.data import Dataset

from service.entities import ByteArray, FloatArray
from service.vision.crop import DETECTOR_INPUT, SimilarityMap, letterbox_map, sample
from training.config import ConfigError, DataConfig
from training.data.augment import (
    Crop,
    Variation,
    colour_crop,
    crop_face,
    draw_variation,
    thermal_crop,
)
from training.data.faces import FaceLabel, FaceSet, FrameSet, broken
from training.data.sample import MAX_BOXES, DetectorSample, LandmarkSample
from training.data.sets import PAIRED, VISIBLE, Source, parse_source

SPLITS = ("train", "val")
_SMALLEST = 6.0  # pixels of the detector's input; smaller faces are neither found nor background
_VISIBLE = 0.4  # share of a box within the frame from which it is a face to find


class LabelledFaces(Dataset[LandmarkSample]):
    """Faces of one or more sets, the sets one after the other."""

    def __init__(self, sets: Sequence[FaceSet], data: DataConfig, split: str) -> None:
        self._sets, self._data, self._split = sets, data, split
        self._ends = np.cumsum([len(one) for one in sets])
        self._length = _length(data, split, int(self._ends[-1]))

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> LandmarkSample:
        cv2.setNumThreads(0)
        place = _place(index, int(self._ends[-1]), self._length, self._split)
        which = int(np.searchsorted(self._ends, place, side="right"))
        own = place - int(self._ends[which] - len(self._sets[which]))
        how = _variation(self._data, self._split, index)
        return self._sample(self._sets[which], own, how)

    def _sample(self, faces: FaceSet, index: int, how: Variation) -> LandmarkSample:
        label, modality, size = faces.label(index), self._data.modality, self._data.input_size
        colours = [] if modality == "thermal" else _planes(faces.colour(index))
        if modality == "rgb":
            crop = crop_face(colours, label, how, size)
            image = colour_crop(crop.planes, crop.inside)
            return LandmarkSample(image, self._points(crop), crop.weight)
        frame = faces.frame(index)
        _check_pixels(faces, label, frame.values, colours)
        crop = crop_face([frame.values, *colours], label, how, size)
        black_hot = frame.black_hot != how.black_hot
        image = thermal_crop(crop.planes[0], crop.inside, black_hot=black_hot)[None]
        rgb = colour_crop(crop.planes[1:], crop.inside) if colours else None
        return LandmarkSample(image, self._points(crop), crop.weight, rgb)

    def _points(self, crop: Crop) -> FloatArray:
        if self._split == "val":
            return crop.points
        middle = np.float32(self._data.input_size / 2)
        return np.where(np.isnan(crop.points), middle, crop.points)


def _planes(colour: ByteArray) -> list[FloatArray]:
    return list(colour.astype(np.float32).transpose(2, 0, 1))


def _check_pixels(
    faces: FaceSet, label: FaceLabel, values: FloatArray, colours: Sequence[FloatArray]
) -> None:
    if colours and colours[0].shape != values.shape:
        wrong = f"colours of {colours[0].shape}, thermal pixels of {values.shape}"
        raise broken(faces.name, label.name, wrong, "the same pixels")


class LabelledFrames(Dataset[DetectorSample]):
    """Frames of one or more sets; those with more faces than a batch carries are left out."""

    def __init__(self, sets: Sequence[FrameSet], data: DataConfig, split: str) -> None:
        self._data, self._split = data, split
        self._frames = [
            (one, index) for one in sets for index in range(len(one))
            if len(one.label(index).boxes) <= MAX_BOXES
        ]  # fmt: skip
        if not self._frames:
            raise ConfigError(
                f"data.sets: no frame of split {split} with {MAX_BOXES} faces at most"
            )
        self._length = _length(data, split, len(self._frames))

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> DetectorSample:
        cv2.setNumThreads(0)
        place = _place(index, len(self._frames), self._length, self._split)
        frames, own = self._frames[place]
        frame, boxes = frames.frame(own), frames.label(own).boxes
        how = _variation(self._data, self._split, index)
        values = frame.values
        if how.flip:
            values, boxes = values[:, ::-1], _mirrored(boxes, frame.width)
        to_network = _letterbox(frame.width, frame.height, how)
        warped, inside = sample(values, to_network, DETECTOR_INPUT)
        black_hot = frame.black_hot != how.black_hot
        image = thermal_crop(warped, inside, black_hot=black_hot)
        placed = to_network.to_network(boxes.reshape(-1, 2, 2)).reshape(-1, 4).astype(np.float32)
        keep, ignore = _targets(placed)
        return DetectorSample(image[None], placed[keep], ignore[keep].astype(np.float32))


def _mirrored(boxes: FloatArray, width: int) -> FloatArray:
    return np.stack(
        [width - 1 - boxes[:, 2], boxes[:, 1], width - 1 - boxes[:, 0], boxes[:, 3]], axis=1
    )


def _letterbox(width: int, height: int, how: Variation) -> SimilarityMap:
    """The serving map, zoomed and shifted: by as much of the input as crops by that of the face."""
    fitted = letterbox_map(width, height)
    served = Variation().crop_scale
    zoom, middle = served / how.crop_scale, (DETECTOR_INPUT - 1) / 2
    x, y = (part * DETECTOR_INPUT for part in how.shift)
    return SimilarityMap(
        fitted.scale * zoom,
        middle + (fitted.offset_x - middle) * zoom + x,
        middle + (fitted.offset_y - middle) * zoom + y,
    )


def _targets(boxes: FloatArray) -> tuple[np.ndarray, np.ndarray]:
    """Of boxes `[M, 4]` in the input: which reach into it, and which of them are to be ignored."""
    extent = boxes[:, 2:] - boxes[:, :2]
    shown = np.clip(boxes, 0, DETECTOR_INPUT - 1)
    visible = np.prod(shown[:, 2:] - shown[:, :2], axis=1) / np.prod(extent, axis=1)
    return visible > 0, (np.sqrt(np.prod(extent, axis=1)) < _SMALLEST) | (visible < _VISIBLE)


def _length(data: DataConfig, split: str, faces: int) -> int:
    return data.samples_per_epoch if split == "train" else min(data.val_samples, faces)


def _place(index: int, faces: int, length: int, split: str) -> int:
    return index % faces if split == "train" else index * faces // length


def _variation(data: DataConfig, split: str, index: int) -> Variation:
    if split != "train":
        return Variation()
    return draw_variation(np.random.default_rng((data.seed, 30, index)), data.augment)


def build_labelled(task: str, data: DataConfig, split: str) -> LabelledFaces | LabelledFrames:
    """What `data.sets` names, of a split; ConfigError if that does not go with task or modality,
    DataSetError for a folder without it."""
    sources = [parse_source(text) for text in data.sets]
    for source in sources:
        _check_fit(source, data.modality)
    opened = [source.open(split) for source in sources]
    faces = [one for one in opened if isinstance(one, FaceSet)]
    frames = [one for one in opened if isinstance(one, FrameSet)]
    fitting: Sequence[FaceSet | FrameSet] = faces if task == "landmarks" else frames
    if len(fitting) < len(opened):
        names = [one.name for one in opened if one not in fitting]
        raise ConfigError(f"data.sets: {names} have no labels for the task {task}")
    for source, one in zip(sources, opened, strict=True):
        if not len(one):
            raise broken(one.name, source.folder, f"no face of the split {split}", "at least one")
    if task == "landmarks":
        return LabelledFaces(faces, data, split)
    return LabelledFrames(frames, data, split)


def _check_fit(source: Source, modality: str) -> None:
    if "split" in source.options:
        raise ConfigError(f"data.sets: {source}: training takes the splits train and val itself")
    if modality != "rgb" and source.name in VISIBLE:
        raise ConfigError(f"data.sets: {source}: photographs; they need data.modality = rgb")
    if modality != "thermal" and source.name not in (*VISIBLE, *PAIRED):
        raise ConfigError(f"data.sets: {source}: no colour pictures for data.modality {modality}")


def held_out_protocol(data: DataConfig) -> str:
    """What validation figures of a run were taken on, in words."""
    if not data.sets:
        return "held-out synthetic persons"
    names = [parse_source(text).name for text in data.sets]
    return f"split val of {', '.join(names)}, marked boxes given"
