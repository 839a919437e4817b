"""How Spark runs the products that count subscribers: every exchange is pinned, because each moves all rows."""

import pytest

from tests.end_to_end.test_plans import PYTHON, exchanges, physical
from tests.populations import PLANS, frame_of, plan_of

EXCHANGES = {
    "presence": ["key", "subscriber"],
    "roaming": ["key", "subscriber"],
    "active_subscribers": ["key", "subscriber"],
    "residents": ["key", "subscriber"],
    "home_visits": ["key", "subscriber", "subscriber"],  # nights and days: two tables
    "relocations": ["key", "subscriber", "subscriber"],  # two windows of nights
    "churn": ["key", "subscriber", "subscriber", "subscriber"],  # the same, and the few rows of a full join once more
    "migration": ["key", "subscriber", "subscriber"],
}
"""By what rows are exchanged, from the last exchange to the first."""


@pytest.mark.parametrize("product", sorted(PLANS))
def test_a_product_exchanges_no_more_than_it_has_to(spark, tmp_path, product):
    plan = physical(frame_of(spark, plan_of(product), tmp_path))

    assert exchanges(plan) == EXCHANGES[product]
    assert plan.count("BroadcastNestedLoopJoin") == plan.count("CartesianProduct") == 0
    assert not [word for word in PYTHON if word in plan]
