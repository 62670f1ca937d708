"""What can be seen of an update follows from how the model was trained last."""

from math import inf

from fivefold.core.lineage import Claim, Record
from fivefold.privacy import DPSGD, Federated
from fivefold.privacy.federated import ClientPrivacy
from fivefold.privacy.inversion.sight import LISTENER, SEEDED, SERVER, UNKNOWN, Sight, sights_of

START = Record("start", {}, "", Claim(reads_data=False))


def after(*claims):
    return (START, *(Record(str(i), {}, "data", c) for i, c in enumerate(claims)))


PRIVATE = DPSGD(noise_multiplier=1.5, clip_norm=2.0).claim(500)


def test_plain_training_hides_nothing():
    assert sights_of(()) == sights_of(after(Claim())) == (Sight(),)
    assert sights_of(after(PRIVATE, Claim())) == (Sight(),)


def test_private_training_clips_each_example_and_noises_their_sum():
    (sight,) = sights_of(after(Claim(), PRIVATE))
    assert (sight.clip_norm, sight.noise_multiplier, sight.deviation) == (2.0, 1.5, 3.0)
    assert not sight.is_whole
    assert "1.5" in sight.name


def test_a_step_that_reads_nothing_changes_nothing():
    assert sights_of((*after(PRIVATE), START)) == sights_of(after(PRIVATE))


def test_noise_of_clients_does_not_hide_them_from_the_server():
    claim = Federated(private=ClientPrivacy(noise_multiplier=1.1, clip_norm=0.5)).claim(500)
    server, listener = sights_of(after(claim))
    assert (server.who, server.deviation, server.clip_norm) == (SERVER, 0.0, 0.5)
    assert (listener.who, listener.deviation, listener.clip_norm) == (LISTENER, 0.55, 0.5)
    assert server.is_whole
    assert listener.is_whole


def test_noise_from_a_known_seed_is_taken_away():
    claim = DPSGD(noise_multiplier=1.5, clip_norm=2.0, insecure_seed=1).claim(500)
    (sight,) = sights_of(after(claim))
    assert (sight.who, sight.deviation, sight.clip_norm) == (SEEDED, 0.0, 2.0)


def test_a_claim_that_nobody_knows_hides_nothing():
    for privacy in (
        {"mechanism": "magic", "noise_multiplier": 9.0, "clip_norm": 1.0, "seeded": False},
        {**PRIVATE.privacy, "noise_multiplier": "much"},
        {**PRIVATE.privacy, "unit": "user"},
        {**PRIVATE.privacy, "clip_norm": inf},
        {**PRIVATE.privacy, "clip_norm": True},
    ):
        (sight,) = sights_of(after(Claim(privacy=privacy)))
        assert (sight.who, sight.deviation) == (UNKNOWN, 0.0)
