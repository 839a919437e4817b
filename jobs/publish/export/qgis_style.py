"""The style that QGIS gives a layer when it opens it: values by class, what is unsure and what is residual apart.

Source: QML as QGIS 3.18 and later reads it, the rule-based renderer, `styleCategories="Symbology"`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from jobs.publish.export.breakdowns import Breakdown
from jobs.publish.export.classes import FILLS, LINE, UNSURE, WIDTHS_MM, ValueClass, classes_of, clear_from_sds
from jobs.publish.export.layers import Kind, Layer
from schemas.published import RESIDUAL

_QGIS: Final = "3.28.0"
"""The version that the style names; any from 3.18 on reads it."""

MOST_PARTS: Final = 200
"""Parts of a breakdown with rules of their own; a legend of more is none."""

Settings = Mapping[str, str]


@dataclass(frozen=True)
class Rule:
    """One line of the legend.

    Args:
        label: What it says.
        condition: QGIS expression that says which features; empty: all.
        symbol: Its symbol layer, class and settings; nothing where it only holds others.
        is_on: Whether it is drawn before the reader ticks it.
        rules: The rules inside.
    """

    label: str
    condition: str = ""
    symbol: tuple[str, Settings] | None = None
    is_on: bool = True
    rules: Sequence["Rule"] = field(default_factory=tuple)


def layer_qml(layer: Layer) -> str:
    """Return the style of a layer with values."""
    if layer.kind is Kind.LINES:
        return _qml("line", _line_rules(layer))
    classes, sds = classes_of(layer.rows), clear_from_sds(layer.rows)
    parts = [part for part, _ in zip(layer.breakdown.parts(), range(MOST_PARTS), strict=False)]
    if not layer.breakdown.labels or not parts:
        return _qml("fill", _zone_rules(classes, sds))
    rules = (
        Rule(text, _part_condition(layer.breakdown, rows.iloc[0]), is_on=n == 0, rules=_zone_rules(classes, sds))
        for n, (text, rows) in enumerate(parts)
    )
    return _qml("fill", tuple(rules))


def base_qml(levels: Sequence[int], place: str) -> str:
    """Return the style of the zones without values: outlines, the finer the thinner, only the finest drawn at first."""
    rules = tuple(
        Rule(f"{place} {level}", f'"level" = {level}', ("SimpleFill", _outline(0.2 + 0.2 * n)), is_on=n == 0)
        for n, level in enumerate(sorted(levels, reverse=True))
    )
    return _qml("fill", rules)


def _part_condition(breakdown: Breakdown, row: Mapping[str, object]) -> str:
    return " AND ".join(f'"{label}" = {_literal(row[label])}' for label in breakdown.labels)


def _literal(value: object) -> str:
    """A value in a QGIS expression, which reads a backslash in a text as the beginning of an escape."""
    text = str(value)
    return text if isinstance(value, int | float) else "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _zone_rules(classes: Sequence[ValueClass], sds: float) -> tuple[Rule, ...]:
    unsure = Rule("cannot be told from zero", _clear(sds, "<="), ("SimpleFill", _fill(UNSURE, "b_diagonal")))
    shown = [Rule(c.text, _clear(sds) + _within(c), ("SimpleFill", _fill(FILLS[c.number]))) for c in classes]
    return (*shown, unsure)


def _line_rules(layer: Layer) -> tuple[Rule, ...]:
    has_status = "is_residual" in layer.rows
    shown = _clear(clear_from_sds(layer.rows)) + (f" AND \"status\" <> '{RESIDUAL}'" if has_status else "")
    rules = [
        Rule(c.text, f"{shown}{_within(c)}", ("SimpleLine", _line(LINE, WIDTHS_MM[c.number])))
        for c in classes_of(layer.rows)
    ]
    unsure = ("SimpleLine", _line(UNSURE, WIDTHS_MM[0], style="dot"))
    rules.append(Rule("cannot be told from zero", shown.replace(">", "<=", 1), unsure, is_on=has_status))
    if has_status:
        dashed = ("SimpleLine", _line("#7f7f7f", WIDTHS_MM[1], style="dash"))
        rules.append(Rule("residual: the pair without its finer rows", f"\"status\" = '{RESIDUAL}'", dashed))
    return tuple(rules)


def _clear(sds: float, comparison: str = ">") -> str:
    """Whether a value is clear of zero."""
    return f'"value" {comparison} {sds!r} * "noise_sd"'


def _within(limits: ValueClass) -> str:
    low = f' AND "value" >= {limits.low!r}' if limits.low > -inf else ""
    return low + (f' AND "value" < {limits.high!r}' if limits.high < inf else "")


def _fill(color: str, style: str = "solid") -> Settings:
    return {
        "color": _rgba(color, 200), "style": style, "outline_color": _rgba("#666666", 160), "outline_style": "solid",
        "outline_width": "0.1", "outline_width_unit": "MM", "joinstyle": "bevel",
    }  # fmt: skip


def _outline(width_mm: float) -> Settings:
    return {
        "color": _rgba("#ffffff", 0), "style": "no", "outline_color": _rgba("#555555", 255), "outline_style": "solid",
        "outline_width": f"{width_mm:.1f}", "outline_width_unit": "MM", "joinstyle": "bevel",
    }  # fmt: skip


def _line(color: str, width_mm: float, *, style: str = "solid") -> Settings:
    """A line beside its straight one, so that the flows of both directions of a pair are seen."""
    return {
        "line_color": _rgba(color, 190), "line_style": style, "line_width": f"{width_mm}", "line_width_unit": "MM",
        "offset": f"{width_mm / 2 + 0.15:.3f}", "offset_unit": "MM", "capstyle": "round", "joinstyle": "round",
    }  # fmt: skip


def _rgba(color: str, alpha: int) -> str:
    red, green, blue = (int(color[n : n + 2], 16) for n in (1, 3, 5))
    return f"{red},{green},{blue},{alpha}"


def _qml(symbol_type: str, rules: Sequence[Rule]) -> str:
    root = Element("qgis", version=_QGIS, styleCategories="Symbology")
    renderer = SubElement(
        root, "renderer-v2", type="RuleRenderer", symbollevels="0", enableorderby="0", forceraster="0",
        referencescale="-1",
    )  # fmt: skip
    top = SubElement(renderer, "rules", key="root")
    symbols = SubElement(renderer, "symbols")
    keys = iter(range(10**6))
    for rule in rules:
        _add_rule(top, symbols, rule, symbol_type, keys)
    SubElement(root, "layerGeometryType").text = "1" if symbol_type == "line" else "2"
    return "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" + tostring(root, encoding="unicode")


def _add_rule(parent: Element, symbols: Element, rule: Rule, symbol_type: str, keys: Iterator[int]) -> None:
    told = {"key": f"rule-{next(keys)}", "label": _unevaluated(rule.label)}
    if rule.condition:
        told["filter"] = rule.condition
    if not rule.is_on:
        told["checkstate"] = "0"
    if rule.symbol:
        told["symbol"] = str(len(symbols))
        _add_symbol(symbols, symbol_type, *rule.symbol)
    made = SubElement(parent, "rule", told)
    for inner in rule.rules:
        _add_rule(made, symbols, inner, symbol_type, keys)


def _unevaluated(label: str) -> str:
    """A label that is text: QGIS replaces what stands between [% and %] in a legend by the value of that expression."""
    return label.replace("[%", "[ %")


def _add_symbol(symbols: Element, symbol_type: str, layer_class: str, settings: Settings) -> None:
    name = str(len(symbols))
    symbol = SubElement(symbols, "symbol", type=symbol_type, name=name, alpha="1", clip_to_extent="1", force_rhr="0")
    layer = SubElement(symbol, "layer", {"class": layer_class, "enabled": "1", "locked": "0", "pass": "0"})
    options = SubElement(layer, "Option", type="Map")
    for key, value in settings.items():
        SubElement(options, "Option", name=key, type="QString", value=value)
