"""CSP regions as dated data: the shipped table, its one change, and what is wrong with a table."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import pytest

from sublife.lifecycle.policy import Policy, PolicyError, policy_from
from sublife.scheduler.rulebook import rules

CHANGE = datetime(2023, 10, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
NAMES = {
    "Africa": "africa",
    "Asia Pacific": "asia-pacific",
    "Australia": "australia",
    "Brazil": "brazil",
    "Canada": "canada",
    "China": "china",
    "India": "india",
    "Japan": "japan",
    "Korea": "korea",
    "Taiwan": "taiwan",
    "Europe": "europe",
    "Latin America and Caribbean": "latin-america-and-caribbean",
    "Middle East, Central and Eastern Europe": "middle-east-central-and-eastern-europe",
    "New Zealand": "new-zealand",
    "United States": "united-states",
}


def _published() -> Mapping[str, str]:
    """Return the region of every country as table 3.4 says it, read from the rule's own text."""
    text = " ".join(rules()["3.4"].says.split())
    rows = re.findall(r"([A-Z][A-Za-z, ]+): ((?:[A-Z]{2} ?)+)", text)
    return {code: NAMES[name] for name, codes in rows for code in codes.split()}


PUBLISHED = _published()


def test_the_text_of_the_table_is_read_whole() -> None:
    """Table 3.4."""
    assert set(PUBLISHED.values()) == set(NAMES.values())
    assert PUBLISHED["NO"] == "europe"
    assert PUBLISHED["US"] == "united-states"


@pytest.mark.parametrize("at", [CHANGE - SECOND, CHANGE], ids=["before", "after"])
def test_the_pack_says_what_the_table_says(at: datetime, policy: Policy) -> None:
    """EA-05, table 3.4: country by country, the three that moved aside."""
    moved = {"AS", "GU", "MP"}
    found = {country: policy.region(country, at) for country in policy.regions.by_country}

    assert set(found) - moved == set(PUBLISHED) - moved
    for country in set(found) - moved:
        assert found[country] == PUBLISHED[country], country


@pytest.mark.parametrize(
    ("country", "before"), [("AS", "australia"), ("GU", "australia"), ("MP", "new-zealand")]
)
def test_three_countries_move_at_midnight(country: str, before: str, policy: Policy) -> None:
    """EA-05, GEN-03, GEN-09: 2023-10-12T00:00:00Z already belongs to the new region."""
    assert policy.region(country, CHANGE - SECOND) == before
    assert policy.region(country, CHANGE) == "united-states"


def test_a_country_of_no_region_has_none(policy: Policy) -> None:
    assert policy.region("KP", CHANGE) is None
    assert policy.region("de", CHANGE) is None


def test_another_choice_of_switches_keeps_the_regions(policy: Policy) -> None:
    assert policy.choosing({"processing": "reported"}).region("DE", CHANGE) == "europe"


def _pack(regions: object) -> Policy:
    content: dict[str, object] = {"pack": "mine", "switches": {}, "figures": {}, "regions": regions}
    return policy_from(content, figures={}, switches={})


def test_a_pack_without_regions_compares_none() -> None:
    policy = policy_from({"pack": "mine", "switches": {}, "figures": {}}, figures={}, switches={})

    assert not policy.regions
    assert policy.region("DE", CHANGE) is None


def test_regions_change_the_digest_of_a_pack() -> None:
    """GEN-09: what applied is on every fact."""
    one, other = _pack({"europe": [{"countries": "DE"}]}), _pack({"europe": [{"countries": "FR"}]})

    assert one.digest != other.digest


def test_a_country_may_leave_and_come_back() -> None:
    policy = _pack(
        {
            "here": [
                {"countries": "DE", "to": date(2020, 1, 1)},
                {"countries": "DE", "from": CHANGE},
            ],
            "there": [{"countries": "DE", "from": date(2020, 1, 1), "to": date(2021, 1, 1)}],
        }
    )
    years = (2019, 2020, 2021, 2024)

    assert [policy.region("DE", datetime(year, 6, 1, tzinfo=UTC)) for year in years] == [
        "here",
        "there",
        None,
        "here",
    ]


@pytest.mark.parametrize(
    ("regions", "where", "message"),
    [
        ("europe", "regions", "must be a mapping"),
        ({"europe": "DE FR"}, "regions.europe", "needs a list of entries"),
        ({"europe": []}, "regions.europe", "needs a list of entries"),
        ({"europe": ["DE"]}, "regions.europe.0", "must be a mapping"),
        ({"europe": [{"from": CHANGE}]}, "regions.europe.0", '"countries" is missing'),
        ({"europe": [{"countries": "DEU"}]}, "regions.europe.0.countries", "ISO 3166"),
        ({"europe": [{"countries": "de"}]}, "regions.europe.0.countries", "ISO 3166"),
        ({"europe": [{"countries": "DE", "land": 1}]}, "regions.europe.0.land", "unknown key"),
        ({"europe": [{"countries": "DE", "from": "soon"}]}, "regions.europe.0.from", "no date"),
        (
            {"europe": [{"countries": "DE", "from": CHANGE, "to": CHANGE}]},
            "regions.europe.0",
            "ends before it starts",
        ),
        (
            {"europe": [{"countries": "DE"}], "asia": [{"countries": "DE", "from": CHANGE}]},
            "regions.asia.0.countries",
            "DE lies in europe and in asia at once",
        ),
        (
            {"europe": [{"countries": "DE DE"}]},
            "regions.europe.0.countries",
            "at once",
        ),
    ],
)
def test_a_wrong_table_names_place_and_remedy(regions: object, where: str, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        _pack(regions)

    places = {".".join(map(str, fault.path)): fault.message for fault in caught.value.faults}
    assert message in places[where]
