import { expect, it } from 'vitest'
import { bytesOfRequestId, isRequestId, requestIdOfBytes } from '../src/request-id.ts'

const lower = '0b7a3c52-9d1e-4f60-8a7b-c0ffee123456'

it('comes back from its bytes as it was', () => {
  for (const length of Array.from({ length: 36 }, (_, place) => place + 1)) {
    const id = 'trace-1.b_C'.repeat(4).slice(0, length)
    expect(isRequestId(id)).toBe(true)
    expect(requestIdOfBytes(bytesOfRequestId(id)), `${length} characters`).toBe(id)
  }
  for (const id of [
    lower,
    lower.toUpperCase(),
    lower.replaceAll('-', '_'),
    lower.replaceAll('-', ''),
    '0'.repeat(16),
  ]) {
    expect(requestIdOfBytes(bytesOfRequestId(id))).toBe(id)
  }
})

it('takes 16 bytes as a UUID and no more than 36 otherwise', () => {
  expect(bytesOfRequestId(lower)).toHaveLength(16)
  expect(bytesOfRequestId('x'.repeat(36))).toHaveLength(36)
  expect(isRequestId('x'.repeat(37))).toBe(false)
})
