"""No submission reaches the machine's own services: neither over the network nor by the name of a Unix socket."""

from __future__ import annotations

import json
import os
import socket
import sys

import pytest

from dlcourse.grader import seccomp
from dlcourse.grader.session import Grader, Options

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux has the layers")

ATTEMPT = """
import os, socket

def leaky_relu(z, slope=0.01):
    attempts = {
        "file": lambda: socket.socket(socket.AF_UNIX).connect(PATH),
        "abstract": lambda: socket.socket(socket.AF_UNIX).connect(chr(0) + "dlcourse-test"),
        "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)),
        "memory": lambda: open("/proc/self/mem", "rb"),
    }
    reached = []
    for name, attempt in attempts.items():
        try:
            attempt()
            reached.append(name)
        except OSError:
            pass
    raise LookupError(f"reached: {reached}")
"""


@pytest.mark.parametrize("level", ["full", "process"])
def test_no_socket_is_reached(tmp_path, level):
    path = f"/tmp/dlcourse-test-{os.getpid()}-{level}"  # a socket's name must be short
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "source": ATTEMPT.replace("PATH", repr(path))}
    file = tmp_path / "01_neuron.ipynb"
    file.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    with socket.socket(socket.AF_UNIX) as service, Grader(Options(isolation=level)) as grader:
        if "system-calls" not in grader.setting.layers:
            pytest.skip(f"no filter of system calls here: {grader.setting.layers}")
        service.bind(path)
        try:
            os.chmod(path, 0o777)
            service.listen(100)
            (result,) = grader.grade([file])
        finally:
            os.unlink(path)
    message = next(one.message for one in result.exercises if one.id == "neuron.leaky_relu")
    assert "LookupError: reached: []" in message


@pytest.mark.parametrize("machine", seccomp.ARCHITECTURES)
def test_the_filter_is_whole_and_refuses_exactly_what_it_lists(machine):
    import struct

    code = seccomp.program(machine)
    steps = [struct.unpack("HBBI", code[at : at + 8]) for at in range(0, len(code), 8)]
    column, architecture = seccomp.ARCHITECTURES[machine]

    def answer(number, made_for=architecture):
        at, value = 0, 0
        while True:
            kind, yes, no, operand = steps[at]
            at += 1
            if kind == seccomp.LOAD:
                value = {0: number, 4: made_for}[operand]
            elif kind == seccomp.RETURN:
                return operand
            else:
                at += yes if (value == operand if kind == seccomp.IF_EQUAL else value >= operand) else no

    refused = {both[column] for both in seccomp.REFUSED.values()}
    assert {number for number in range(600) if answer(number) == seccomp.REFUSE} == refused
    assert answer(seccomp.X32 + 41) == seccomp.REFUSE
    assert answer(0) == seccomp.ALLOW
    assert answer(0, made_for=3) == seccomp.KILL


def test_an_architecture_whose_numbers_are_not_known_has_no_filter():
    with pytest.raises(OSError, match="riscv64"):
        seccomp.program("riscv64")
