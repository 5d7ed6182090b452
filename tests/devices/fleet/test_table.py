"""All 35 bad situations, each with its class and the test that proves it end to end.

``phones/test_bench`` runs with every adb binary that is found; what a program on the phone does is
the same for all of them. Two cannot come about end to end, and are proven one layer below: 9, because
measuring connects to no address that adb does not know, and 19, because nothing is pulled from a phone.
"""

from pathlib import Path

import pytest

from edgezoo.devices.failures import FAILURE_CLASSES

HERE = Path(__file__).parent
BENCH, PROGRAMS, LINKS = "../phones/test_bench", "test_programs", "../phones/test_situations"
# number, what happens, the class, where it is proven
TABLE = (
    (1, "no adb", "tool_missing", BENCH, "test_1_no_adb"),
    (2, "no device", "no_device", BENCH, "test_2_no_device"),
    (3, "several and no serial", "ambiguous_device", BENCH, "test_3_several_and_no_serial"),
    (4, "unknown serial", "device_gone", BENCH, "test_4_unknown_serial"),
    (5, "unauthorized", "unauthorized", BENCH, "5-unauthorized"),
    (6, "trusted for the first time", "measured", BENCH, "test_6_first_time"),
    (7, "offline", "offline", BENCH, "7-offline"),
    (8, "authorizing", "unauthorized", BENCH, "8-authorizing"),
    (9, "port closed", "connection_refused", LINKS, "test_9_port_closed"),
    (10, "no USB permission", "no_permission", BENCH, "10-no-permission"),
    (11, "a server of another version", "server_mismatch", BENCH, "11-other-version"),
    (12, "a server that does not start", "tool_broken", BENCH, "12-silent"),
    (13, "server killed", "measured", BENCH, "test_13_server_killed"),
    (14, "reboot", "measured", BENCH, "test_14_reboot"),
    (14, "reboot after reboot", "device_rebooted", BENCH, "test_14_reboots_again_and_again"),
    (15, "cable pulled in a push", "measured", BENCH, "test_15_cable_pulled_in_push"),
    (15, "pulled in every push", "push_failed", BENCH, "test_15_pulled_in_every_push"),
    (16, "link frozen", "device_gone", BENCH, "test_16_link_frozen"),
    (17, "disk full", "disk_full", BENCH, "17-disk-full"),
    (18, "target not writable", "push_denied", BENCH, "18-read-only"),
    (19, "a file to pull is missing", "no_output", LINKS, "test_19_pull_missing"),
    (20, "may not be executed", "exec_denied", PROGRAMS, "exec_denied"),
    (21, "another processor's", "wrong_abi", PROGRAMS, "wrong_abi"),
    (22, "no such program", "runner_missing", PROGRAMS, "not_found"),
    (23, "no such library", "library_missing", PROGRAMS, "link_error"),
    (24, "SIGSEGV", "crash", PROGRAMS, "segfault"),
    (24, "SIGILL", "crash", PROGRAMS, "illegal_instruction"),
    (24, "SIGABRT", "crash", PROGRAMS, "abort"),
    (24, "SIGBUS", "crash", PROGRAMS, "bus_error"),
    (25, "out of memory", "out_of_memory", PROGRAMS, "out_of_memory"),
    (26, "hangs", "timeout", PROGRAMS, "hang"),
    (27, "too warm before", "too_warm", PROGRAMS, "test_27_throttled_before"),
    (27, "too warm after", "throttled", PROGRAMS, "test_27_throttled_meanwhile"),
    (28, "delegate fell back", "delegate_fallback", PROGRAMS, "28-fallback"),
    (29, "unknown flag", "flag_refused", PROGRAMS, "unknown_flag"),
    (29, "repeated flag", "flag_refused", PROGRAMS, "29-repeated-flag"),
    (30, "bytes that are no text", "measured", PROGRAMS, "test_30_bytes_that_are_no_text"),
    (31, "truncated log", "incomplete_log", PROGRAMS, "31-truncated-log"),
    (32, "zero", "invalid_numbers", PROGRAMS, "32-zero"),
    (33, "root refused", "measured", BENCH, "test_33_root_is_never_asked_for"),
    (34, "no shell", "unsupported", BENCH, "test_34_no_shell"),
    (35, "two runs", "busy", BENCH, "test_35_two_runs"),
    (35, "file changed", "artifact_changed", BENCH, "test_35_the_file_changes"),
)


def test_all_are_there() -> None:
    assert sorted({number for number, *_ in TABLE}) == list(range(1, 36))


@pytest.mark.parametrize(("number", "what", "kind", "module", "test"), TABLE)
def test_each_has_its_test(number: int, what: str, kind: str, module: str, test: str) -> None:
    assert kind in (*FAILURE_CLASSES, "measured", "throttled")
    source = (HERE / f"{module}.py").read_text()
    assert test in source
