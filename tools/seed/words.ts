/** Parts of invented people. Domains and networks are reserved for documentation (RFC 2606, RFC 5737, RFC 3849). */
export const firstNames =
  'Ada Amara Ayşe Björn Chidi Chloé Dmitri Elif Esra Femi Grace Hanna Hiro Ines Ivan Jamal Jürgen Kenji Lars Leïla Linh Lucía Mei Minh Nadia Noor Olu Oskar Priya Quentin Rosa Samir Sofía Tariq Uma Viktor Wanjiru Ximena Yuki Zoë'.split(
    ' ',
  )
export const lastNames =
  "Abe Adeyemi Andersson Bauer Bianchi Castro Chen Cohen Dubois Eriksen Farouk Fischer García Haddad Hopper Ito Jansen Kaya Kim Kovács Larsen Lovelace Mbeki Mendoza Nakamura Nguyen Novák O'Brien Okafor Papadopoulos Patel Rossi Santos Schröder Singh Tanaka Turing Ueda Vargas Weber Yılmaz Zhang".split(
    ' ',
  )
export const domains = ['example.com', 'example.net', 'example.org', 'mail.example', 'university.example']
export const locales = ['en', 'en-GB', 'de', 'fr', 'es', 'pt-BR', 'tr', 'ja', null]
export const bios = [
  'Walks a lot, reads more.',
  'Gardener, father of three, slow cyclist.',
  'Here for the archive.',
  'Translates novels nobody has heard of – yet.',
  'Maps, trains and strong tea.',
]

export const places: readonly (readonly [ipPrefix: string, country: string])[] = [
  ['192.0.2.', 'DE'],
  ['198.51.100.', 'US'],
  ['203.0.113.', 'JP'],
  ['192.0.2.', 'TR'],
  ['198.51.100.', 'BR'],
  ['2001:db8::', 'FR'],
  ['2001:db8:5::', 'IN'],
  ['203.0.113.', 'NG'],
]

export const userAgents = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Safari/605.1.15',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (Linux; Android 16; Pixel 10) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36',
  'Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0',
  'curl/8.14.1',
]
