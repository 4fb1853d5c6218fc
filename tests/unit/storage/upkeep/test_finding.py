from storage.upkeep.finding import Finding


def test_many_offenders_are_counted_not_listed():
    offenders = tuple(f"job{number}" for number in range(1200))
    line = str(
        Finding(invariant=3, claim="a claim", looked_at=5000, of="jobs", offenders=offenders)
    )
    assert line.startswith("FAILED  3  a claim (5,000 jobs): job0, job1,")
    assert line.endswith("job9 and 1,190 more")
