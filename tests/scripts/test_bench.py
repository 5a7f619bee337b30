# SPDX-License-Identifier: Apache-2.0
"""The bench: what it measures, it still can."""
from tools import ROOT, sh


def test_bench_measures_kiln_beside_the_floor():
    code, out = sh('SUITE="start exec ping" PEERS=none ROUNDS=1 BENCH_SECONDS=60 make --no-print-directory bench', cwd=ROOT)
    assert code == 0, out
    for row in ('floor', "floor with Docker's mounts", 'kiln: create + start', 'floor: setns + fork + exec + wait',
                'kiln: exec, create to exit code', 'kiln: /_ping'):
        assert f'| {row} | ' in out, f'no {row}: {out}'
