"""The breaker: cases in words, and the machine's promises for any order of events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.breaker import (
    Attempt,
    Breaker,
    BreakerNews,
    BreakerRules,
    Breakers,
    BreakerState,
    Closed,
    Fault,
    FaultKind,
    Opened,
    Probing,
)

AWAY = Fault(FaultKind.AWAY, "HTTP 503")
RULES = BreakerRules()


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Desk:
    """A breaker with its clock and what it told."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.told: list[BreakerNews] = []
        self.breakers = Breakers(self.clock, RULES, self.told.append)
        self.breaker = self.breakers.of("groq")

    def state(self) -> BreakerState:
        return self.breaker.state

    def fail(self, times: int = 1, fault: Fault = AWAY) -> None:
        for _ in range(times):
            attempt_of(self.breaker).failed(fault)

    def succeed(self) -> None:
        attempt_of(self.breaker).succeeded()


def attempt_of(breaker: Breaker) -> Attempt:
    attempt = breaker.attempt()
    assert attempt is not None
    return attempt


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_it_begins_closed_and_lets_everybody_through(desk: Desk) -> None:
    assert desk.state() is BreakerState.CLOSED
    assert all(desk.breaker.attempt() for _ in range(100))
    assert desk.told == []


def test_three_failures_in_a_row_open_it(desk: Desk) -> None:
    desk.fail(2)
    assert desk.state() is BreakerState.CLOSED
    desk.fail()
    assert desk.state() is BreakerState.OPEN
    assert desk.breaker.attempt() is None
    assert desk.told == [Opened("groq", 5.0, AWAY)]


def test_a_success_between_begins_the_count_again(desk: Desk) -> None:
    for _ in range(2):
        desk.fail(2)
        desk.succeed()
    assert desk.state() is BreakerState.CLOSED


def test_failing_every_other_time_opens_it_too(desk: Desk) -> None:
    for _ in range(5):
        desk.fail()
        if desk.state() is BreakerState.CLOSED:
            desk.succeed()
    assert [type(news) for news in desk.told] == []
    desk.fail()
    assert desk.state() is BreakerState.OPEN


def test_after_the_wait_exactly_one_probe_is_let_through(desk: Desk) -> None:
    desk.fail(3)
    desk.clock.now_s += 4.99
    assert desk.breaker.attempt() is None
    desk.clock.now_s += 0.01
    assert desk.state() is BreakerState.HALF_OPEN
    assert desk.breaker.attempt() is not None
    assert desk.breaker.attempt() is None
    assert desk.told[-1] == Probing("groq", RULES.probe_s)


def test_a_probe_that_succeeds_closes_it(desk: Desk) -> None:
    desk.fail(3)
    desk.clock.now_s += 5
    desk.succeed()
    assert desk.state() is BreakerState.CLOSED
    assert desk.told[-1] == Closed("groq")
    desk.fail(2)
    assert desk.state() is BreakerState.CLOSED, "what was before is forgotten"


def test_every_failed_probe_doubles_the_wait_up_to_a_minute(desk: Desk) -> None:
    desk.fail(3)
    waits = []
    for _ in range(6):
        waits.append(desk.breaker.status().retry_in_s)
        desk.clock.now_s += waits[-1]
        desk.fail()
    assert waits == pytest.approx([5, 10, 20, 40, 60, 60])


def test_a_probe_whose_caller_hung_up_gives_its_place_back(desk: Desk) -> None:
    desk.fail(3)
    desk.clock.now_s += 5
    attempt_of(desk.breaker).dropped()
    assert desk.breaker.attempt() is not None


def test_a_probe_that_was_forgotten_does_not_bar_for_ever(desk: Desk) -> None:
    desk.fail(3)
    desk.clock.now_s += 5
    forgotten = attempt_of(desk.breaker)
    desk.clock.now_s += RULES.probe_s
    second = attempt_of(desk.breaker)
    forgotten.failed(AWAY)  # it says nothing any more
    second.succeeded()
    assert desk.state() is BreakerState.CLOSED


def test_what_began_before_it_opened_says_nothing_about_now(desk: Desk) -> None:
    early = attempt_of(desk.breaker)
    desk.fail(3)
    early.succeeded()
    assert desk.state() is BreakerState.OPEN


def test_the_first_word_about_an_attempt_counts(desk: Desk) -> None:
    for _ in range(3):
        attempt = attempt_of(desk.breaker)
        attempt.succeeded()
        attempt.failed(AWAY)
    assert desk.state() is BreakerState.CLOSED
    assert desk.breaker.status().last_fault is None


@pytest.mark.parametrize(
    ("retry_after_s", "waits_s"), [(None, 5.0), (0.0, 0.0), (2.5, 2.5), (86_400.0, 60.0), (-1.0, 0.0)]
)
def test_a_limit_that_is_reached_opens_at_once_for_as_long_as_is_asked(
    desk: Desk, retry_after_s: float | None, waits_s: float
) -> None:
    desk.fail(1, Fault(FaultKind.BUSY, "HTTP 429", retry_after_s))
    assert desk.breaker.status().retry_in_s == waits_s


def test_a_refused_key_is_no_outage_and_is_tried_again_once_a_minute(desk: Desk) -> None:
    refused = Fault(FaultKind.CONFIGURATION, "HTTP 401 invalid_api_key")
    desk.fail(1, refused)
    assert desk.state() is BreakerState.MISCONFIGURED
    assert desk.breaker.attempt() is None
    desk.clock.now_s += 60
    desk.fail(1, refused)
    assert desk.breaker.status().retry_in_s == 60
    desk.clock.now_s += 60
    desk.succeed()
    assert desk.state() is BreakerState.CLOSED
    desk.fail(3)
    assert desk.breaker.status().retry_in_s == 5, "the waits of an outage did not grow"


def test_what_one_request_did_wrong_counts_for_nothing(desk: Desk) -> None:
    desk.fail(50, Fault(FaultKind.REQUEST, "HTTP 413"))
    assert desk.state() is BreakerState.CLOSED


def test_a_probe_that_was_itself_wrong_proves_nothing(desk: Desk) -> None:
    desk.fail(3)
    desk.clock.now_s += 5
    desk.fail(1, Fault(FaultKind.REQUEST, "HTTP 400"))
    assert desk.state() is BreakerState.HALF_OPEN
    assert desk.breaker.attempt() is not None


def test_the_status_tells_the_last_fault_even_when_all_is_well_again(desk: Desk) -> None:
    desk.fail()
    desk.succeed()
    (status,) = desk.breakers.statuses()
    assert (status.name, status.state, status.last_fault) == ("groq", BreakerState.CLOSED, AWAY)


def test_workers_that_share_their_news_open_probe_and_close_together() -> None:
    clock = Clock()
    one, other = Breakers(clock), Breakers(clock)
    leave = one.share(other.hear)
    other.share(one.hear)
    for _ in range(3):
        attempt_of(one.of("groq")).failed(AWAY)
    assert other.of("groq").state is BreakerState.OPEN
    clock.now_s += 5
    probe = attempt_of(other.of("groq"))
    assert one.of("groq").attempt() is None, "one probe for all workers"
    probe.succeeded()
    assert one.of("groq").state is BreakerState.CLOSED
    leave()
    for _ in range(3):
        attempt_of(one.of("groq")).failed(AWAY)
    assert (one.of("groq").state, other.of("groq").state) == (BreakerState.OPEN, BreakerState.CLOSED)


def test_news_out_of_nowhere_do_no_harm(desk: Desk) -> None:
    desk.breakers.hear(Closed("groq"))
    desk.breakers.hear(Probing("groq", 10))
    assert desk.state() is BreakerState.CLOSED
    desk.breakers.hear(Opened("groq", 1e9, AWAY))
    assert desk.breaker.status().retry_in_s == RULES.longest_open_s
    assert desk.told == [], "news are not told again"


STEPS = st.lists(
    st.one_of(
        st.just("attempt"),
        st.tuples(st.sampled_from(["succeeded", "dropped"]), st.integers(0, 9)),
        st.tuples(st.just("failed"), st.integers(0, 9), st.sampled_from(FaultKind)),
        st.tuples(st.just("wait"), st.floats(0, 90)),
        st.sampled_from([Opened("groq", 20, AWAY), Probing("groq", 10), Closed("groq")]),
    ),
    max_size=120,
)


@given(steps=STEPS)
def test_in_any_order_of_events_no_more_than_one_probe_is_out_and_nobody_waits_for_ever(
    steps: list[str | tuple[str, int] | tuple[str, int, FaultKind] | tuple[str, float] | BreakerNews],
) -> None:
    desk, out = Desk(), list[Attempt]()
    probes: list[tuple[Attempt, float]] = []
    for step in steps:
        breaker = desk.breaker
        match step:
            case "attempt":
                before = breaker.state
                attempt = breaker.attempt()
                assert before is not BreakerState.CLOSED or attempt is not None
                assert before is not BreakerState.OPEN or attempt is None
                if attempt is not None:
                    out.append(attempt)
                if attempt is not None and before is not BreakerState.CLOSED:
                    alive = [one for one, at in probes if desk.clock.now_s - at < RULES.probe_s]
                    assert not alive, "a second probe beside the first"
                    probes.append((attempt, desk.clock.now_s))
            case ("failed", int(which), FaultKind() as kind) if out:
                ended = out.pop(which % len(out))
                ended.failed(Fault(kind, "said so"))
                probes = [one for one in probes if one[0] is not ended]
            case (str(how), int(which)) if out and how in ("succeeded", "dropped"):
                ended = out.pop(which % len(out))
                getattr(ended, how)()
                probes = [one for one in probes if one[0] is not ended]
            case ("wait", float(seconds)):
                desk.clock.now_s += seconds
            case Opened() | Probing() | Closed() as news:
                desk.breakers.hear(news)
                if not isinstance(news, Probing):
                    probes = []  # what another worker learned stands for what ours would have
            case _:
                pass
        assert breaker.status().retry_in_s <= RULES.longest_open_s + 1e-6, "floats add up nearly"
    desk.clock.now_s += RULES.longest_open_s
    attempt_of(desk.breaker).succeeded()
    assert desk.state() is BreakerState.CLOSED
