import { expect, it } from 'vitest'
import { addressSlot } from '../../src/crypto/address-slot.ts'

const key = { kid: 'a', key: new Uint8Array(32).fill(1) }
const slots = 131_072

it('gives every address one of 131,072 slots, always the same', async () => {
  const addresses = Array.from({ length: 2000 }, (_, n) => `somebody-${n}@example.com`)
  const given = await Promise.all(addresses.map((address) => addressSlot(address, key)))
  expect(given.every((slot) => Number.isInteger(slot) && slot >= 0 && slot < slots)).toBe(true)
  expect(Math.max(...given)).toBeGreaterThan(0.99 * slots)
  expect(new Set(given).size).toBeGreaterThan(1950)
  expect(await Promise.all(addresses.map((address) => addressSlot(address, key)))).toEqual(given)
})

it('gives other slots under another key', async () => {
  const other = { kid: 'a', key: new Uint8Array(32).fill(2) }
  expect(await addressSlot('ada@example.com', key)).not.toBe(await addressSlot('ada@example.com', other))
})
