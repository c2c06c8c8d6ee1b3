import { ZxcvbnFactory, type ZxcvbnResult } from '@zxcvbn-ts/core'
import { dictionary } from '@zxcvbn-ts/language-common'
import { afterEach, describe, expect, vi } from 'vitest'
import { type KnownAs, knownWords } from '../../src/crypto/password-rules.ts'
import { judgeStrength } from '../../src/crypto/strength.ts'
import type { BodyOf } from '../support/api.ts'
import { it } from '../support/fixtures.ts'

/** The lowest score that the policy accepts. */
const enough = 3

const codePoints = (text: string) => Array.from(text).length

/** The same numbers in each run: a linear congruential generator. */
function randomsFrom(seed: number) {
  let state = seed
  return (max: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * max)
  }
}

type Profile = Partial<BodyOf<'register'>>
const registration = (password: string, profile: Profile = {}) => ({
  email: 'someone@example.org',
  password,
  ...profile,
})

afterEach(() => void vi.restoreAllMocks())

describe('the strength estimator', () => {
  it('refuses the 3,000 most used passwords that are long enough to be asked about', () => {
    const common = dictionary['passwords-common'].filter((each) => codePoints(each) >= 8).slice(0, 3000)
    expect(common).toHaveLength(3000)
    expect(common.filter((password) => judgeStrength(password, []).score >= enough)).toEqual([])
  })

  it.each([
    'password',
    'Password1!',
    'P@ssw0rd123',
    'qwertyuiop',
    'iloveyou',
    '12345678901234567890',
    'abcdefghijklmnop',
    'aaaaaaaaaaaaaaaaaaaa',
    'abcabcabcabcabcabc',
    '1qaz2wsx3edc',
    'drowssap',
    '2026-11-22',
  ])('rejects %s and advises what to change', (password) => {
    const { score, advice } = judgeStrength(password, [])
    expect(score).toBeLessThan(enough)
    expect(advice).toMatch(/^[A-Z].*\.$/)
    expect(advice).not.toContain('undefined')
  })

  it('gives its advice in whole sentences, separated by single spaces', () => {
    expect(judgeStrength('password', []).advice).toBe(
      'This is one of the most used passwords there are. Add more words that are less common.',
    )
    expect(judgeStrength('kfhq', []).advice).toBe('Add more words that are less common.')
    expect(judgeStrength('nine quiet lanterns drift', []).advice).toBe('')
  })

  it.each([
    'nine quiet lanterns drift',
    'correct horse battery staple',
    'mein Fahrrad singt im Regen',
    'длинная фраза из моей головы',
    '七つの静かな灯籠が流れていく',
    'vX7#qLm2!tRz',
    'kfh wq pzmx',
  ])('accepts %s, without rules of composition', (password) => {
    expect(judgeStrength(password, []).score).toBeGreaterThanOrEqual(enough)
  })

  it.each([
    'Sommer2024!',
    'sommer_2024',
    '2024Sommer!',
    'SOMMER!2026',
    'Frühling2025!',
    'Fruehling2025?',
    '!!Winter1999!!',
    'S0mm3r2026!',
    'November2026!',
    'Donnerstag17.',
    'Berlin2026!',
    'Bad-Homburg1998',
    'München-2026',
    'Manchester99!',
    'DeutscheBank2026!',
    'GoldmanSachs24?',
    'JamesSmith70',
    'Smith.James.1970',
    'AnnaSchmidt1987!',
    'destination',
    'Destination1!',
    'ichliebedich',
    'Ich liebe dich 1!',
    'iloveyouforever',
    'remmoS2026!',
    'BerlinBerlin2026!',
    'qwertzuiop2026!',
    'monkey-dragon12',
  ])('rejects %s: names, words and what people put around them', (password) => {
    const { score, advice } = judgeStrength(password, [])
    expect(score).toBeLessThan(enough)
    expect(advice).toMatch(/^[A-Z].*\.$/)
  })

  it.each([
    'Мы гуляли под дождём до утра',
    'люблю гулять под дождём',
    'Περπατάμε στη βροχή',
    '我喜欢在雨中唱歌',
    '今天我们去海边散步吧',
    '雨の日は散歩が好き',
    'きょうはさんぽにいこう',
    '비오는 날 산책이 좋아',
    'أحب المشي تحت المطر',
    'אני אוהב ללכת בגשם',
    'ฉันชอบเดินเล่นกลางสายฝน',
  ])('accepts %s, a sentence in another script', (password) => {
    expect(judgeStrength(password, []).score).toBeGreaterThanOrEqual(enough)
  })

  it('accepts every passphrase of five random words, however they are joined', () => {
    const list = dictionary['diceware-common'].filter((word) => /^[a-z]{3,}$/.test(word))
    const random = randomsFrom(1)
    const phrases = Array.from({ length: 400 }, (_, place) =>
      Array.from({ length: 5 }, () => list[random(list.length)]).join(['', ' ', '-', '.'][place % 4]),
    )
    expect(phrases.filter((phrase) => judgeStrength(phrase, []).score < enough)).toEqual([])
  })

  it.for([
    {
      alphabet: 'letters, digits and symbols',
      characters: String.fromCharCode(...Array.from({ length: 94 }, (_, code) => code + 33)),
    },
    { alphabet: 'letters and digits', characters: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789' },
    { alphabet: 'small letters', characters: 'abcdefghijklmnopqrstuvwxyz' },
  ])('accepts every password of 12 to 16 random characters: $alphabet', ({ characters }) => {
    const random = randomsFrom(2)
    const passwords = Array.from({ length: 400 }, (_, place) =>
      Array.from({ length: 12 + (place % 5) }, () => characters[random(characters.length)]).join(''),
    )
    expect(passwords.filter((password) => judgeStrength(password, []).score < enough)).toEqual([])
  })

  it('counts words that are known about the user as guessed', () => {
    const known = ['lovelace', 'augusta', 'example']
    for (const password of ['lovelaceaugusta', 'AugustaLovelace', 'example2026', 'ecalevol22']) {
      expect(judgeStrength(password, known).score, password).toBeLessThan(enough)
    }
  })

  it('does not keep the words of one user for the next', () => {
    expect(judgeStrength('plinkerdoodle vim', ['plinkerdoodle']).score).toBeLessThan(enough)
    expect(judgeStrength('plinkerdoodle vim', []).score).toBeGreaterThanOrEqual(enough)
  })
})

describe('the strength estimator, given a long password', () => {
  const start = '\u{1F3EE}長l4nt3rn drift nine q\u{1F511}uiet rive'
  it('judges the first 32 characters and ignores the rest', () => {
    expect(codePoints(start)).toBe(32)
    const verdict = judgeStrength(start, [])
    for (const rest of ['password', start, 'a'.repeat(96), '\u{1F3EE}'.repeat(96)]) {
      expect(judgeStrength(start + rest, [])).toEqual(verdict)
    }
    expect(judgeStrength(`${'a'.repeat(32)}${start}`, []).score).toBeLessThan(enough)
    expect(judgeStrength(`${'a'.repeat(31)}${start}`, [])).toEqual(judgeStrength(`${'a'.repeat(31)}\u{1F3EE}`, []))
  })

  it.for([
    { pattern: 'every substitution there is', password: '4@8({[<3€6960|!1¡£50$57+%2'.repeat(5) },
    { pattern: 'repeats in repeats', password: 'abababab'.repeat(16) },
    { pattern: 'keys side by side', password: '1qaz!QAZ2wsx@WSX'.repeat(8) },
    { pattern: 'astral symbols', password: '\u{1F3EE}'.repeat(128) },
    { pattern: 'combining marks', password: `e${'\u0301'.repeat(127)}` },
  ])('cuts it before any expensive matching: $pattern', ({ password }) => {
    const check = vi.spyOn(ZxcvbnFactory.prototype, 'check')
    const cut = Array.from(password).slice(0, 32).join('')
    judgeStrength(password, [])
    const judged = check.mock.calls.map(([text]) => text)
    expect(judged[0]).toBe(cut)
    expect(cut.length).toBeLessThanOrEqual(64)
    // And perhaps what remains without the digits and symbols at both ends.
    expect(judged.slice(1).every((text) => cut.includes(text))).toBe(true)
    expect(judged.length).toBeLessThanOrEqual(2)
  })
})

describe('the words that are known about a user', () => {
  const known = (who: KnownAs) => knownWords('Acme Login', who).toSorted()
  const ofTheProduct = ['acme', 'acme login', 'login', 'postern']

  it('are the known facts, whole and split, in lower case, each once, from three letters on', () => {
    expect(known({ email: 'Anna--Lena.B@mail.acme.example', firstName: 'Anna-Lena', lastName: 'O’Neil' })).toEqual(
      [
        ...ofTheProduct,
        'anna--lena.b@mail.acme.example',
        'anna--lena.b',
        'anna',
        'lena',
        'mail',
        'example',
        'anna-lena',
        'o’neil',
        'neil',
        'anna-lena o’neil',
        'o’neil anna-lena',
      ].toSorted(),
    )
  })

  it.for<{ given: string; names: Partial<KnownAs> }>([
    { given: 'first', names: { firstName: 'Zoë' } },
    { given: 'last', names: { lastName: 'Zoë', firstName: null } },
  ])('include no pair of names if only the $given name is known', ({ names }) => {
    const ofTheAddress = ['someone', 'someone@example.org', 'example', 'org']
    expect(known({ email: 'someone@example.org', ...names })).toEqual(
      [...ofTheProduct, ...ofTheAddress, 'zoë'].toSorted(),
    )
  })
})

describe('the password policy at registration', () => {
  const tooGuessable = {
    code: 'weak_password',
    errors: [{ pointer: '/password', code: 'too_guessable', message: expect.stringMatching(/^[A-Z].*\.$/) }],
  }

  it.for<{ source: string; password: string; profile: Profile }>([
    {
      source: 'the address',
      password: 'Brambleworth.Quill@example.org',
      profile: { email: 'brambleworth.quill@example.org' },
    },
    {
      source: 'the mailbox and more',
      password: 'brambleworth22',
      profile: { email: 'brambleworth@example.org' },
    },
    { source: 'the domain', password: 'thistlecombe-abc', profile: { email: 'someone@thistlecombe.example' } },
    {
      source: 'both names',
      password: 'QuillfeatherBramble',
      profile: { first_name: 'Bramble', last_name: 'Quillfeather' },
    },
    {
      source: 'both names with a space',
      password: 'Quillfeather Bramble',
      profile: { first_name: 'Bramble', last_name: 'Quillfeather' },
    },
    { source: 'a name of two parts', password: 'bramble-quill11', profile: { first_name: 'Bramble-Quill' } },
    { source: 'the product', password: 'PosternPostern1', profile: {} },
    { source: 'the product, joined', password: 'postern-postern', profile: {} },
    { source: 'the product and a common password', password: 'Postern-Password', profile: {} },
    ...['Ada-Lovelace-Postern', 'AdaLovelacePostern', 'lovelace lovelace', 'Example.Lovelace.Ada1'].map((password) => ({
      source: `several known words: ${password}`,
      password,
      profile: { email: 'ada.lovelace@example.com', first_name: 'Ada', last_name: 'Lovelace' },
    })),
  ])('refuses a password made of $source', async ({ password, profile }, { anonymous }) => {
    const problem = await anonymous.register(registration(password, profile)).refused(422, 'weak_password')
    expect(problem).toMatchObject(tooGuessable)
  })

  it('accepts a password that is strong enough without its known words', async ({ anonymous }) => {
    const profile = { email: 'ada.lovelace@example.com', first_name: 'Ada', last_name: 'Lovelace' }
    await anonymous.register(registration('ada-heron-lantern-quill', profile))
  })

  it('accepts a password of the lowest sufficient score', async ({ anonymous }) => {
    expect(judgeStrength('heronlanternquill', []).score).toBe(3)
    await anonymous.register(registration('heronlanternquill'))
  })

  it('gives advice even if the estimator has none', async ({ anonymous }) => {
    const feedback = { warning: null, suggestions: [] }
    vi.spyOn(ZxcvbnFactory.prototype, 'check').mockReturnValue({
      score: 2,
      guessesLog10: 7,
      sequence: [],
      feedback,
    } as unknown as ZxcvbnResult)
    const problem = await anonymous.register(registration('heronlanternquill')).refused(422, 'weak_password')
    expect(problem).toMatchObject(tooGuessable)
  })

  it('accepts the names of other people in a password', async ({ anonymous }) => {
    await anonymous.register(registration('QuillfeatherBramble'))
  })
})

describe('the password policy with a longer minimum', () => {
  it.override('options', { env: { PASSWORD_MIN_LENGTH: '12' } })

  it('counts the characters of the NFC form', async ({ anonymous }) => {
    const tooShort = { code: 'weak_password', errors: [{ pointer: '/password', code: 'too_short' }] }
    for (const password of [
      'kfh wq pzmx',
      '\u{1F3EE}\u{1F511}\u{1F9ED}\u{1F6B2}\u{1F327}\u{1F4A1}',
      'vX7#qe\u0301Lm!tR'.normalize('NFD'),
    ]) {
      const problem = await anonymous.register(registration(password)).refused(422, 'weak_password')
      expect(problem, password).toMatchObject(tooShort)
    }
    await anonymous.register(registration('kfh wq pzmx7'))
  })
})
