from service.landmark_schema import FLIP, FROM_54, FROM_70, FROM_73, KEYPOINTS

NOT_IN_54 = {49, 50, 52, 53, 55, 56, 58, 59, 60, 61, 63, 64, 65, 67}  # the notebook of SF-TL54


def test_54_landmarks_miss_fourteen_of_the_lips() -> None:
    assert sorted(FROM_54) == list(range(54))
    assert set(range(KEYPOINTS)) - set(FROM_54.values()) == NOT_IN_54
    assert [FROM_54[slot] for slot in range(48, 54)] == [48, 51, 54, 57, 62, 66]


def test_a_mirror_image_lacks_the_same_landmarks() -> None:
    assert {FLIP[landmark] for landmark in NOT_IN_54} == NOT_IN_54


def test_70_and_73_begin_with_the_68() -> None:
    for scheme in (FROM_70, FROM_73):
        assert [scheme[slot] for slot in range(KEYPOINTS)] == list(range(KEYPOINTS))
        assert len(scheme) == KEYPOINTS
