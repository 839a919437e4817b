// A released number with its error: how well it is known, and to which digit it may be told.

const Z95 = 1.959963984540054;
const NUMBER_LIMITS = [[0.1, "well"], [0.3, "roughly"], [1, "barely"]];
const SHARE_LIMITS = [[0.05, "well"], [0.1, "roughly"], [0.25, "barely"]];

const low = (n) => n.v - Z95 * n.s;
const high = (n) => n.v + Z95 * n.s;

// As in the situation page: half the width of the interval as a share of the number, or in points of a share.
function trustOf(n, sort) {
  const half = Z95 * n.s;
  if (sort === "share") return (SHARE_LIMITS.find(([limit]) => half < limit) || [0, "not"])[1];
  return (NUMBER_LIMITS.find(([limit]) => n.v > 0 && half < limit * n.v) || [0, "not"])[1];
}

const powerOfTen = (x) => (x > 0 ? 10 ** Math.floor(Math.log10(x)) : 0);

// The power of ten to which a number is rounded: what its interval allows, four digits at most.
function stepOf(n, least) {
  return Math.max(least, powerOfTen(Z95 * n.s), powerOfTen(Math.abs(n.v)) / 1000);
}

const roundTo = (step, x) => Math.round(x / step) * step;
const decimalsOf = (step) => Math.max(0, -Math.floor(Math.log10(step) + 1e-9));

const estimateAt = (told, k) => (told && told.v[k] !== null && told.v[k] !== undefined ? { v: told.v[k], s: told.s[k] } : null);
const estimateOf = (pair) => (pair ? { v: pair[0], s: pair[1] } : null);
