"""CUDA_VISIBLE_DEVICES, read as torch reads it, and what of MIG a process sees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotune.device.nvml_port import Card
from autotune.device.visible import listed, visible, why_none


def card(index: int, uuid: str, *, mig: bool = False, parent: int | None = None) -> Card:
    return Card(index, f"card {index}", uuid, None, None, None, mig=mig, parent=parent)


CARDS = (card(0, "GPU-aa11"), card(1, "GPU-ab22"), card(2, "GPU-cc33"))
SLICED = (
    card(0, "GPU-aa11"),
    card(1, "GPU-bb22", mig=True),
    card(2, "MIG-dd44", parent=1),
    card(3, "MIG-de55", parent=1),
)


def seen(text: str | None, cards: tuple[Card, ...] = CARDS) -> list[int]:
    return [found.index for found in visible(cards, text)]


@pytest.mark.parametrize(
    ("text", "indices"),
    [
        (None, [0, 1, 2]),
        ("2,0", [2, 0]),
        (" 1 , 2 ", [1, 2]),
        ("0garbage", [0]),
        ("1gpu2,2ampere", [1, 2]),
        ("+1", [1]),
        ("0,0", []),
        ("0,1,0", []),
        ("0,-1,1", [0]),
        ("-1", []),
        ("", []),
        ("none", []),
        ("0,7,1", [0]),
        ("GPU-cc,GPU-aa", [2, 0]),
        ("GPU-aa,1", [0]),
        ("1,GPU-aa", [1]),
        ("GPU-a", []),
        ("GPU-aa,GPU-a,GPU-cc", [0]),
        ("GPU-aa,GPU-aa11", []),
        ("GPU-aa,GPU-aa", []),
        ("GPU-aa, GPU-cc", [0]),
        ("gpu-aa", []),
        ("MIG-dd", []),
    ],
)
def test_the_cards_that_cuda_shows(text: str | None, indices: list[int]) -> None:
    assert seen(text) == indices


@pytest.mark.parametrize(
    ("text", "indices"),
    [
        (None, [2]),
        ("0", [0]),
        ("1", [2]),
        ("0,1", [2]),
        ("GPU-bb", [2]),
        ("MIG-de", [3]),
        ("MIG-de,MIG-dd", [3]),
        ("MIG-d", []),
        ("MIG-dd,MIG-dd", []),
    ],
)
def test_a_process_sees_one_mig_device_and_no_card_beside_it(
    text: str | None, indices: list[int]
) -> None:
    assert seen(text, SLICED) == indices


@pytest.mark.parametrize(
    ("text", "words", "cpu"),
    [
        ("", "CUDA_VISIBLE_DEVICES= hides every NVIDIA card", True),
        ("-1", "CUDA_VISIBLE_DEVICES=-1 hides every NVIDIA card", True),
        ("0,0", "CUDA_VISIBLE_DEVICES=0,0 names a card twice, which hides all", True),
        ("GPU-aa,GPU-aa11", "names a card twice", True),
        ("7", "CUDA_VISIBLE_DEVICES=7 names no single card of this machine (GPU-aa11, GPU", True),
        ("GPU-a", "names no single card of this machine", True),
    ],
)
def test_why_there_is_no_card_to_see_is_reported(text: str, words: str, cpu: bool) -> None:
    reason, remedy, may_be_cpu = why_none(CARDS, text)
    assert words in reason
    assert "CUDA_VISIBLE_DEVICES" in remedy
    assert may_be_cpu is cpu


def test_a_card_in_mig_mode_without_a_device_is_named_with_what_to_do() -> None:
    empty = (card(0, "GPU-aa11", mig=True),)
    for text in (None, "0", "GPU-aa"):
        assert visible(empty, text) == ()
        reason, remedy, may_be_cpu = why_none(empty, text)
        assert reason == "card 0 is in MIG mode and has no MIG device"
        assert "nvidia-smi" in remedy
        assert not may_be_cpu
    assert seen(None, (*empty, card(1, "GPU-bb"))) == [1]


@pytest.mark.torch
@given(
    st.lists(
        st.sampled_from(
            (
                *("0", "1", "2", "3", "63", "-1", "+1", "+", "-", "0x", "1gpu2", "1-2", "garbage"),
                *("GPU-", "GPU-a", "GPU-aa", "GPU-aa11", "GPU-ab", "GPU-zz", " GPU-aa", "MIG-dd"),
            )
        )
        | st.text("0123456789+- ,GPUMIag", max_size=6),
        max_size=4,
    ).map(",".join)
)
def test_any_text_means_what_it_means_to_torch(text: str) -> None:
    import torch.cuda

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", text)
        try:
            theirs = torch.cuda._parse_visible_devices()
        except ValueError:  # a lone sign, on which torch itself stops
            return
    assert listed(text) == tuple(theirs)
    if text.startswith("GPU-"):
        uuids = [str(known.uuid) for known in CARDS]
        assert seen(text) == torch.cuda._transform_uuid_to_ordinals(list(map(str, theirs)), uuids)
