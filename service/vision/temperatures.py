"""Skin temperature by region of the face, from calibrated values and landmarks."""

from service.entities import FloatArray


def region_temperatures(values_celsius: FloatArray, landmarks: FloatArray) -> dict[str, float]:
    """Region name to degrees Celsius; regions outside the frame are left out (never NaN)."""
    raise NotImplementedError
