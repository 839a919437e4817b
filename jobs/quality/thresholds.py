"""What decides whether a day is good: the section `[quality]` of whimbrel.toml."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
"""A part of a whole, 0 to 1."""


class QualityConfig(BaseModel):
    """Thresholds of the checks, each with its unit and where it comes from. Where no source is named, it is ours.

    Args:
        error_rate: Share of a day's rows that may be set aside; 0.20 (multimno).
        reason_rate: Share of them that may be set aside for one reason; 0.05.
        rows_sd: Standard deviations that a day's rows may be off their baseline; 3 (multimno).
        rows_off: Share that they may be off it in any case; 0.30 (multimno).
        rows_near: Share below which a deviation counts for nothing, as few weeks tell a spread badly; 0.10.
        hour_off: Share that an hour's rows may be off their baseline; 0.50.
        last_event_hour: Hour, local time, that the latest event must have reached; 18 (field practice).
        repeated_rate: Share of rows that may repeat another; 0.01 (FlowKit counts them, without a limit).
        two_places_rate: Share of rows that may be of another place in the same second; 0.005 (FlowKit, multimno).
        fast_km: Kilometres over which a speed is looked at; 10 (multimno's and others' practice).
        fast_m_s: Metres a second above which a move is impossible; 55 (as above).
        fast_rate: Share of rows that may be impossible moves; 0.005.
        machine_events_a_day: Events in one day above which a SIM is a machine's; 200 (World Bank).
        machine_mean_a_day: Events a day, in the mean of a week, above which it is; 100 (World Bank).
        machine_rate: Share of rows that may be machines'; 0.10.
        machine_sim_rate: Share of a week's SIMs that may be machines; 0.01.
        few_events: Events in a week below which a SIM tells nothing; 3 (World Bank).
        few_events_rate: Share of a week's SIMs that may tell nothing; 0.50.
        sim_box_events: Events of a SIM that never moved, in one day, above which it looks like a SIM box; 500.
        sim_box_rate: Share of rows that may be such SIMs'; 0.02.
        device_hours: Hours of a day in which a device that reports by itself is seen; 20.
        device_spread: Coefficient of variation of its intervals, at most; 0.25.
        device_rate: Share of rows that may be such devices'; 0.05.
        one_second_rate: Share of rows that may bear one and the same time; 0.01.
        whole_minute_rate: Share of rows that may stand on a whole minute, of which one in 60 should; 0.50.
        same_delivery: Share of a delivery's rows of a day above which another holds it already; 0.95.
        month_days: Share of a month's days that must be there at its end; 0.60 (Flowminder).
        month_gap_days: Days that may be missing in a row; 6 (Flowminder).
        silent_hours: Hours that a place may be silent while its area is not; 3 (World Bank).
        silent_expected: Phones that it should have shown meanwhile, for its silence to mean anything; 20.
        unseen_cells: Share of the cells in service that may stand where nobody was seen; 0.30.
        baseline_weeks: Weeks that a baseline looks back, same weekday; 8.
        baseline_days: Earlier days that it needs; 3.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    error_rate: Share = 0.20
    reason_rate: Share = 0.05
    rows_sd: Annotated[float, Field(gt=0)] = 3.0
    rows_off: Share = 0.30
    rows_near: Share = 0.10
    hour_off: Share = 0.50
    last_event_hour: Annotated[int, Field(ge=0, le=24)] = 18
    repeated_rate: Share = 0.01
    two_places_rate: Share = 0.005
    fast_km: Annotated[float, Field(gt=0)] = 10.0
    fast_m_s: Annotated[float, Field(gt=0)] = 55.0
    fast_rate: Share = 0.005
    machine_events_a_day: Annotated[int, Field(ge=1)] = 200
    machine_mean_a_day: Annotated[float, Field(gt=0)] = 100.0
    machine_rate: Share = 0.10
    machine_sim_rate: Share = 0.01
    few_events: Annotated[int, Field(ge=1)] = 3
    few_events_rate: Share = 0.50
    sim_box_events: Annotated[int, Field(ge=1)] = 500
    sim_box_rate: Share = 0.02
    device_hours: Annotated[int, Field(ge=1, le=24)] = 20
    device_spread: Annotated[float, Field(gt=0)] = 0.25
    device_rate: Share = 0.05
    one_second_rate: Share = 0.01
    whole_minute_rate: Share = 0.50
    same_delivery: Share = 0.95
    month_days: Share = 0.60
    month_gap_days: Annotated[int, Field(ge=0)] = 6
    silent_hours: Annotated[int, Field(ge=1, le=23)] = 3
    silent_expected: Annotated[float, Field(gt=0)] = 20.0
    unseen_cells: Share = 0.30
    baseline_weeks: Annotated[int, Field(ge=1, le=52)] = 8
    baseline_days: Annotated[int, Field(ge=2)] = 3
