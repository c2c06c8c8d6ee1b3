import { describe, expect, it } from 'vitest'
import { bytesOfIp, ipOfBytes, networkBytes } from '../src/ip-address.ts'

describe('the bytes of an address', () => {
  it.for([
    { text: '203.0.113.7', shown: '203.0.113.7', length: 4 },
    { text: '0.0.0.0', shown: '0.0.0.0', length: 4 },
    { text: '255.255.255.255', shown: '255.255.255.255', length: 4 },
    { text: '::ffff:203.0.113.7', shown: '203.0.113.7', length: 4 },
    { text: '::', shown: '::', length: 16 },
    { text: '::1', shown: '::1', length: 16 },
    { text: '2001:DB8:0:0:0:0:0:1', shown: '2001:db8::1', length: 16 },
    { text: '2001:0db8:0000:0001:0000:0000:0000:0000', shown: '2001:db8:0:1::', length: 16 },
    { text: 'fe80::1:0:0:2', shown: 'fe80::1:0:0:2', length: 16 },
    { text: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', shown: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', length: 16 },
  ])('of $text are $length and give $shown back', ({ text, shown, length }) => {
    const bytes = bytesOfIp(text)!
    expect(bytes).toHaveLength(length)
    expect(ipOfBytes(bytes)).toBe(shown)
    expect(bytesOfIp(shown)).toEqual(bytes)
  })

  it('are none for what is no address', () => {
    for (const text of [
      null,
      '',
      'localhost',
      '256.0.0.1',
      '1.2.3',
      '1.2.3.4.5',
      '::1::',
      'g::',
      '1.2.3.4 ',
      '::1%eth0',
    ]) {
      expect(bytesOfIp(text), String(text)).toBeNull()
    }
  })
})

describe('the network of an address', () => {
  const networkOf = (text: string | null) => networkBytes(bytesOfIp(text))

  it('is the /24 of IPv4 and the /64 of IPv6', () => {
    expect([...networkOf('203.0.113.7')!]).toEqual([203, 0, 113])
    expect([...networkOf('2001:db8:1:2:3:4:5:6')!]).toEqual([0x20, 1, 0x0d, 0xb8, 0, 1, 0, 2])
    expect(networkOf('2001:db8:1:2::ffff')).toEqual(networkOf('2001:db8:1:2:3:4:5:6'))
    expect(networkOf('2001:db8:1:3::')).not.toEqual(networkOf('2001:db8:1:2::'))
    expect(networkOf('203.0.114.7')).not.toEqual(networkOf('203.0.113.7'))
  })

  it('is none for what is no address', () => {
    expect(networkOf(null)).toBeNull()
    expect(networkOf('unknown')).toBeNull()
  })
})
