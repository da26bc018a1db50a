// The bucket of VictoriaMetrics' histogram that holds a value, found with exact arithmetic: 10^(i/18) is no rational, but its
// 18th power is. A value that is the double of a power of ten belongs to the bucket that ends there, as `le` has it.
import { compare, fromDouble, fromInteger, multiply, type Rational } from "./rational.js";

const PER_DECADE = 18;
const DECADES_BELOW_ONE = 9;

function power(base: Rational, exponent: number): Rational {
  let result = fromInteger(1);
  for (let i = 0; i < exponent; i++) result = multiply(result, base);
  return result;
}

/** 10^k */
function powerOfTen(k: number): Rational {
  const ten = 10n ** BigInt(Math.abs(k));
  return k >= 0 ? { numerator: ten, denominator: 1n } : { numerator: 1n, denominator: ten };
}

/** 0: below 1e-9; i from 1 to 486: (10^((i-1)/18 - 9), 10^(i/18 - 9)]; 487: 1e18 and above. */
function bucketOf(value: number): number {
  if (value < 1e-9) return 0;
  if (value === 1e-9) return 1;
  if (value >= 1e18) return 487;
  const decade = Math.round(Math.log10(value));
  if (value === Number(`1e${decade}`)) return (decade + DECADES_BELOW_ONE) * PER_DECADE;
  const raised = power(fromDouble(value), PER_DECADE);
  const isAbove = (edge: number): boolean => compare(raised, powerOfTen(edge - DECADES_BELOW_ONE * PER_DECADE)) > 0;
  let edge = Math.floor((Math.log10(value) + DECADES_BELOW_ONE) * PER_DECADE);
  while (!isAbove(edge)) edge--;
  while (isAbove(edge + 1)) edge++;
  return edge + 1;
}

/** 1.136e+00, as Go's %.3e. */
function edgeText(edge: number): string {
  const [digits = "", exponent = ""] = (10 ** (edge / PER_DECADE - DECADES_BELOW_ONE)).toExponential(3).split("e");
  return `${digits}e${exponent.charAt(0)}${exponent.slice(1).padStart(2, "0")}`;
}

/** The label `vmrange` of a value that is not negative. */
export function vmrangeOf(value: number): string {
  const bucket = bucketOf(value);
  if (bucket === 0) return "0...1.000e-09";
  return bucket === 487 ? "1.000e+18...+Inf" : `${edgeText(bucket - 1)}...${edgeText(bucket)}`;
}
