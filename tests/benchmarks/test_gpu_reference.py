"""The GPU table, made on the processor with a small input."""

import pytest

from benchmarks import gpu_reference


def test_table_and_failures(capsys: pytest.CaptureFixture[str]) -> None:
    times = ("--processes", "1", "--warmup", "1", "--runs", "3", "--input", "1x3x32x32")
    asked = ("--device", "torch-cpu", "--execution", "eager", "--precision", "fp32", "tf32")
    code = gpu_reference.main(["shufflenet_v1", *asked, "--batch", "2", *times])
    lines = capsys.readouterr().out.splitlines()
    assert code == 1, "a row without a number is no success"
    assert "(host; torch " in lines[0], "a processor's numbers are called so"
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    heads, _, good, refused = rows
    assert len(good) == len(refused) == len(heads)
    number = dict(zip(heads, good, strict=True))
    assert float(number["images/s"].replace(",", "")) > 0
    assert number["batch"] == "2" and number["layout"] == "channels-last"
    assert refused[-1] == "failed (unsupported_setting)"
    assert "TF32 is a number format of NVIDIA GPUs" in lines[-1]
