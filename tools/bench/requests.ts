/**
 * What Cloudflare tells of a client. On this runtime it comes in a header, which the socket takes off and parses only
 * for a Worker that reads `request.cf`.
 */
const cf = {
  asn: 3320,
  asOrganization: 'Deutsche Telekom AG',
  city: 'Hamburg',
  clientAcceptEncoding: 'gzip, deflate, br, zstd',
  clientTcpRtt: 21,
  colo: 'HAM',
  continent: 'EU',
  country: 'DE',
  edgeRequestKeepAliveStatus: 1,
  httpProtocol: 'HTTP/2',
  isEUCountry: '1',
  latitude: '53.55073',
  longitude: '9.99302',
  postalCode: '20038',
  region: 'Hamburg',
  regionCode: 'HH',
  requestPriority: 'weight=192;exclusive=0;group=0;group-weight=127',
  timezone: 'Europe/Berlin',
  tlsCipher: 'AEAD-AES128-GCM-SHA256',
  tlsClientAuth: { certIssuerDN: '', certPresented: '0', certRevoked: '0', certSerial: '', certVerified: 'NONE' },
  tlsClientCiphersSha1: 'kJ6v2L8uXbT4m5cZ8m0xq0lYf2U=',
  tlsClientExtensionsSha1: 'Y7DIC8A6G0/aXviZ8ie/xDbJb7g=',
  tlsClientHelloLength: '1810',
  tlsVersion: 'TLSv1.3',
}

const headers = {
  Host: 'localhost:8787',
  'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  Accept: 'application/json',
  'CF-Connecting-IP': '203.0.113.7',
  'MF-CF-Blob': JSON.stringify(cf),
}
const common = linesOf(headers)

/** @param more headers of this request */
export function getRequest(path: string, more: Readonly<Record<string, string>>): string {
  return `GET ${path} HTTP/1.1\r\n${common}${linesOf(more)}\r\n`
}

export function postRequest(path: string, body: object): string {
  const text = JSON.stringify(body)
  const more = { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(text)) }
  return `POST ${path} HTTP/1.1\r\n${common}${linesOf(more)}\r\n${text}`
}

function linesOf(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')
}
