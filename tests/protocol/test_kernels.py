"""Which kernel computes attention is on record, in the report, and said where it is a poor one."""

from pathlib import Path

import pytest

from autotune.launch import worker_environment
from autotune.protocol import events
from autotune.protocol.events import WORKER_EVENT
from autotune.protocol.job import Job
from autotune.protocol.kernels import FoundKernels, Kernel, kernels_sentence, math_warning
from autotune.report import build_report
from autotune.report.write import render_html, render_markdown
from autotune.text.fit import fit_sentence
from tests import records as book
from tests import setups
from tests.played import BASE, EACH, Memory, fitting, probing

FOUND = FoundKernels(
    kernels=(Kernel.EFFICIENT, Kernel.MATH), heads=9, key_heads=3, head_size=64, dtype="float16"
)


def test_what_a_worker_found_is_one_line() -> None:
    assert kernels_sentence(FOUND) == (
        "memory-efficient; also there: plain mathematics; tried with 9 heads on 3 of keys, 64 wide,"
        " in float16"
    )


def test_a_ready_event_of_before_is_still_read() -> None:
    old = '{"kind":"ready","pid":1,"device":"CPU","torch":"2.13","transformers":"5.24"}'
    event = WORKER_EVENT.validate_json(old)
    assert isinstance(event, events.Ready)
    assert event.attention is None
    told = event.model_copy(update={"attention": FOUND})
    assert WORKER_EVENT.validate_json(told.model_dump_json()) == told


def test_the_report_names_the_kernel_of_the_accepted_trial(tmp_path: Path) -> None:
    records = book.probing()
    fitted = events.Fitted(fit=book.fit().model_copy(update={"attention": Kernel.EFFICIENT}))
    records.append(events.Record(time=records[-1].time + 1, event=fitted))
    report = build_report(records, tmp_path)
    assert report.attention == "memory-efficient"
    assert report.fit is not None and '"attention":"efficient"' in report.fit.model_dump_json()
    assert "| attention | memory-efficient |" in render_markdown(report)
    assert "<dt>attention</dt><dd>memory-efficient</dd>" in render_html(report)


def test_before_anything_fits_the_report_names_what_the_worker_found(tmp_path: Path) -> None:
    records = [
        record.model_copy(update={"event": record.event.model_copy(update={"attention": FOUND})})
        if isinstance(record.event, events.Ready)
        else record
        for record in book.probing()
    ]
    found = build_report(records, tmp_path).attention
    assert found is not None and found.startswith("memory-efficient; also there")


def test_a_run_of_before_names_no_kernel(tmp_path: Path) -> None:
    report = build_report(book.story(), tmp_path)
    assert report.attention is None
    assert "attention" not in render_markdown(report)


def test_the_answer_of_a_probe_names_the_kernel() -> None:
    fit = book.fit().model_copy(update={"attention": Kernel.VARLEN})
    assert fit_sentence(fit).endswith("attention: flash, packed sequences in one call")
    assert "attention" not in fit_sentence(book.fit())


@pytest.mark.parametrize("kernel", [None, *Kernel])
def test_only_plain_mathematics_is_warned_of(kernel: Kernel | None) -> None:
    assert (math_warning(kernel) is not None) == (kernel is Kernel.MATH)


def test_workers_leave_cudnns_attention_to_who_asks_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TORCH_CUDNN_SDPA_DEPRIORITIZED", raising=False)
    assert worker_environment()["TORCH_CUDNN_SDPA_DEPRIORITIZED"] == "1"
    monkeypatch.setenv("TORCH_CUDNN_SDPA_DEPRIORITIZED", "0")
    assert worker_environment()["TORCH_CUDNN_SDPA_DEPRIORITIZED"] == "0"


class Attending(Memory):
    """A worker whose trials attend by this kernel."""

    kernel: Kernel | None = None

    def __call__(self, job: Job) -> setups.Played:
        played, ending = super().__call__(job)
        told = [
            event.model_copy(
                update={
                    "measurement": event.measurement.model_copy(update={"attention": self.kernel})
                }
            )
            if isinstance(event, events.Measured)
            else event
            for event in played
        ]
        return told, ending


@pytest.mark.parametrize("card", [True, False])
@pytest.mark.parametrize("kernel", [None, Kernel.FLASH, Kernel.MATH])
def test_the_fit_holds_the_kernel_and_a_card_left_with_plain_mathematics_is_warned_of(
    kernel: Kernel | None, card: bool
) -> None:
    memory = Attending(BASE, EACH)
    memory.kernel = kernel
    data = setups.survey([90, 90, 90])
    with probing(memory, data, fitting(500), card=card) as probe:
        found = probe.run()
        records = [record.event for record in probe.session.rundir.records()]
    assert found.attention is kernel
    warned = [event.message for event in records if isinstance(event, events.Warned)]
    assert [message for message in warned if message.startswith("attention is computed")] == (
        warned if card and kernel is Kernel.MATH else []
    )
    assert bool(warned) == (card and kernel is Kernel.MATH)
