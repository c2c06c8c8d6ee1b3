import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareByRanks, complementaryError } from './timing/rank-test.ts'

function assertNear(actual: number, expected: number): void {
  assert.ok(Math.abs(actual / expected - 1) < 1e-9, `${actual} is not ${expected}`)
}

// The expected values are from scipy.stats.mannwhitneyu(…, method='asymptotic') and scipy.special.erfc.

test('two samples are compared as scipy compares them', () => {
  const { greater, p } = compareByRanks([19, 22, 16, 29, 24], [20, 11, 17, 12])
  assert.equal(greater, 17 / 20)
  assertNear(p, 0.11134688653314041)
})

test('ties are corrected for', () => {
  const { greater, p } = compareByRanks([1, 2, 2, 3], [2, 3, 4, 4, 5])
  assert.equal(greater, 2.5 / 20)
  assertNear(p, 0.07854585095119067)
})

test('swapping the samples reverses the direction only', () => {
  const [a, b] = [
    [1, 5, 5, 9],
    [2, 5, 7],
  ] as const
  const [there, back] = [compareByRanks(a, b), compareByRanks(b, a)]
  assert.equal(there.p, back.p)
  assert.equal(there.greater, 1 - back.greater)
})

test('a sample does not differ from itself', () => {
  assert.deepEqual(compareByRanks([1, 2, 3], [1, 2, 3]), { greater: 0.5, p: 1 })
  assert.deepEqual(compareByRanks([1, 1], [1, 1]), { greater: 0.5, p: 1 })
})

test('the complementary error function is exact in its tail', () => {
  assert.equal(complementaryError(0), 1)
  assertNear(complementaryError(0.5), 0.4795001221869535)
  assertNear(complementaryError(1.9999), 0.00467980209297061)
  assertNear(complementaryError(2), 0.004677734981047266)
  assertNear(complementaryError(5), 1.5374597944280347e-12)
})
