"""Exact totals between aggregation and seal: confidential, bound to one plan and its inputs, gone once it is sealed."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError
from pyspark.sql import DataFrame

from jobs.inputs import Inputs
from jobs.storage import write_json
from privacy.bounding import Bounded
from privacy.plan import Plan
from schemas.errors import PrivacyError
from schemas.exact import EXACT_TOTALS

_BINDING: Final = "_made_of.json"
"""An underscore hides it from whatever reads the folder as a table."""


class MadeOf(BaseModel):
    """What exact totals were made of; confidential, because all but the plan depends on the data.

    Args:
        plan_sha256: Digest of the release's specification.
        inputs_sha256: Digest of the versions of days and nights that were read.
        cells_sha256: Digest of the facts of the network that were read, outages included.
        totals_sha256: Digest of the totals.
    """

    model_config = ConfigDict(frozen=True)

    plan_sha256: str
    inputs_sha256: str
    cells_sha256: str
    totals_sha256: str


@dataclass(frozen=True)
class ExactTotals:
    """The totals of one release before noise. Whoever writes or removes them is alone in the confidential root.

    Args:
        folder: Where they stand while they are needed.
    """

    folder: Path

    def write(self, totals: DataFrame, plan: Plan, inputs: Inputs) -> None:
        """Write the totals in place of what an interrupted run left; killed at any line, they are not there yet."""
        self.remove()
        EXACT_TOTALS.conform(totals).write.parquet(str(self.folder))
        # An engine may write no folder at all for a period without trips, which must not show.
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self._binding, self._made_of(plan, inputs, self._table()).model_dump())

    def are_of(self, plan: Plan, inputs: Inputs) -> bool:
        """Tell whether whole totals stand here that were made for this plan, of these inputs."""
        return self._binding.exists() and self._recorded() == self._made_of(plan, inputs, self._table())

    def bounded(self, plan: Plan, inputs: Inputs) -> Bounded:
        """Give the totals, in the order of their keys.

        Raises:
            PrivacyError: There are none, or they were made for another plan or of other inputs.
        """
        if not self._binding.exists():
            raise self._refused(plan, "There are no totals")
        table, recorded = self._table(), self._recorded()
        if recorded != self._made_of(plan, inputs, table):
            other = recorded is None or recorded.plan_sha256 != plan.specification.digest
            raise self._refused(plan, f"The totals were made {'for another plan' if other else 'of other inputs'}")
        return Bounded(table["key"].to_numpy(), table["total"].to_numpy(), plan.bounds)

    def remove(self) -> None:
        """Remove them; the binding goes first, so that no half of them can be taken for the whole."""
        self._binding.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _binding(self) -> Path:
        return self.folder / _BINDING

    def _recorded(self) -> MadeOf | None:
        try:
            return MadeOf.model_validate_json(self._binding.read_bytes())
        except ValidationError:
            return None

    def _table(self) -> pa.Table:
        return pq.read_table(self.folder, schema=EXACT_TOTALS.arrow_schema).sort_by("key")

    @staticmethod
    def _made_of(plan: Plan, inputs: Inputs, totals: pa.Table) -> MadeOf:
        return MadeOf(
            plan_sha256=plan.specification.digest,
            inputs_sha256=inputs.sha256,
            cells_sha256=_digest(inputs.cells),
            totals_sha256=_digest(totals),
        )

    @staticmethod
    def _refused(plan: Plan, found: str) -> PrivacyError:
        again = f"whimbrel release {plan.key.product} {plan.key.period} --step aggregate"
        return PrivacyError(
            f"{found} of {plan.key}.",
            "totals of this plan, made of the days, nights and network as they stand now",
            f"run `{again}` again; it is not charged again",
        )


def _digest(table: pa.Table) -> str:
    """SHA-256 of a table's schema and columns, however its rows came in chunks."""
    sink = pa.BufferOutputStream()
    whole = table.combine_chunks()
    with pa.ipc.new_stream(sink, whole.schema) as writer:
        writer.write_table(whole)
    return hashlib.sha256(sink.getvalue()).hexdigest()
