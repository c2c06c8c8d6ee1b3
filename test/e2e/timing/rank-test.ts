export interface Comparison {
  /**
   * The probability that a value of the first sample is greater than one of the second; a tie counts half. 0.5 means that
   * the samples cannot be told apart, 0 or 1 that they always can. Equals the area under the ROC curve (AUC).
   */
  greater: number
  /** The two-sided probability of a difference at least this large between samples of the same distribution. */
  p: number
}

/**
 * Compares two samples by the ranks of their values (Mann and Whitney, 1947): response times are not normally distributed,
 * and a few outliers must not decide. Uses the normal approximation with corrections for ties and continuity, which is
 * good for about twenty values in each sample or more.
 */
export function compareByRanks(first: readonly number[], second: readonly number[]): Comparison {
  const [n, m] = [first.length, second.length]
  const all = [
    ...first.map((value) => ({ value, isFirst: true })),
    ...second.map((value) => ({ value, isFirst: false })),
  ]
  all.sort((a, b) => a.value - b.value)
  let rankSum = 0
  let tieSum = 0
  for (let start = 0; start < all.length;) {
    const value = all[start]?.value
    let end = start
    while (all[end]?.value === value) end++
    const ties = end - start
    const meanRank = (start + 1 + end) / 2
    rankSum += meanRank * all.slice(start, end).filter(({ isFirst }) => isFirst).length
    tieSum += ties ** 3 - ties
    start = end
  }
  const u = rankSum - (n * (n + 1)) / 2
  const total = n + m
  const variance = ((n * m) / 12) * (total + 1 - tieSum / (total * (total - 1)))
  const distance = Math.max(0, Math.abs(u - (n * m) / 2) - 0.5)
  return { greater: u / (n * m), p: distance === 0 ? 1 : complementaryError(distance / Math.sqrt(2 * variance)) }
}

/** erfc for x ≥ 0: for small x by the series of erf, otherwise by the continued fraction, which is exact for small results. */
export function complementaryError(x: number): number {
  const weight = Math.exp(-x * x) / Math.sqrt(Math.PI)
  if (x < 2) {
    let [term, sum] = [x, x]
    for (let k = 1; k < 60; k++) {
      term *= (2 * x * x) / (2 * k + 1)
      sum += term
    }
    return 1 - 2 * weight * sum
  }
  let fraction = x
  for (let k = 120; k > 0; k--) fraction = x + k / 2 / fraction
  return weight / fraction
}
