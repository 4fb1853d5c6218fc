from bot.ops.worker_metrics import render_work
from bot.workers.counts import Outcome, WorkCounts


def test_metrics_count_what_has_ended_and_what_is_under_way():
    counts = WorkCounts()
    counts.add(Outcome.DONE)
    counts.add(Outcome.DONE)
    with counts.running():
        page = render_work(counts).decode()
    assert 'stemcord_worker_separations_total{outcome="done"} 2.0' in page
    assert 'stemcord_worker_separations_total{outcome="failed"} 0.0' in page
    assert "stemcord_worker_running 1.0" in page
    assert counts.under_way == 0
