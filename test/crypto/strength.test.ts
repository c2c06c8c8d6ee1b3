import { ZxcvbnFactory, type ZxcvbnResult } from '@zxcvbn-ts/core'
import { dictionary } from '@zxcvbn-ts/language-common'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type KnownAs, knownWords } from '../../src/crypto/password-rules.ts'
import { judgeStrength } from '../../src/crypto/strength.ts'
import { startService } from '../support/service.ts'

/** What the policy asks for. */
const enough = 3

const codePoints = (text: string) => Array.from(text).length

afterEach(() => void vi.restoreAllMocks())

describe('the judge', () => {
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
  ])('refuses %s and says what to do', (password) => {
    const { score, advice } = judgeStrength(password, [])
    expect(score).toBeLessThan(enough)
    expect(advice).toMatch(/^[A-Z].*\.$/)
    expect(advice).not.toContain('undefined')
  })

  it('says it in sentences, and nothing before the first or between them', () => {
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
  ])('accepts %s, whatever it is composed of', (password) => {
    expect(judgeStrength(password, []).score).toBeGreaterThanOrEqual(enough)
  })

  it('takes known words for guessed', () => {
    const known = ['lovelace', 'augusta', 'example']
    for (const password of ['lovelaceaugusta', 'AugustaLovelace', 'example2026', 'ecalevol22']) {
      expect(judgeStrength(password, known).score, password).toBeLessThan(enough)
    }
  })

  it('remembers nobody’s words for the next', () => {
    expect(judgeStrength('plinkerdoodle vim', ['plinkerdoodle']).score).toBeLessThan(enough)
    expect(judgeStrength('plinkerdoodle vim', []).score).toBeGreaterThanOrEqual(enough)
  })
})

describe('of a long password', () => {
  const start = '\u{1F3EE}長l4nt3rn drift nine q\u{1F511}uiet rive'
  it('the judge sees the first 32 characters and no more', () => {
    expect(codePoints(start)).toBe(32)
    const verdict = judgeStrength(start, [])
    for (const rest of ['password', start, 'a'.repeat(96), '\u{1F3EE}'.repeat(96)]) {
      expect(judgeStrength(start + rest, [])).toEqual(verdict)
    }
    expect(judgeStrength(`${'a'.repeat(32)}${start}`, []).score).toBeLessThan(enough)
    expect(judgeStrength(`${'a'.repeat(31)}${start}`, [])).toEqual(judgeStrength(`${'a'.repeat(31)}\u{1F3EE}`, []))
  })

  it.each([
    ['every substitution there is', '4@8({[<3€6960|!1¡£50$57+%2'.repeat(5)],
    ['repeats in repeats', 'abababab'.repeat(16)],
    ['keys side by side', '1qaz!QAZ2wsx@WSX'.repeat(8)],
    ['astral symbols', '\u{1F3EE}'.repeat(128)],
    ['combining marks', `e${'\u0301'.repeat(127)}`],
  ])('a crafted one is cut before it can cost anything: %s', (_, password) => {
    const check = vi.spyOn(ZxcvbnFactory.prototype, 'check')
    const cut = Array.from(password).slice(0, 32).join('')
    judgeStrength(password, [])
    expect(check.mock.calls.map(([judged]) => judged)).toEqual([cut])
    expect(cut.length).toBeLessThanOrEqual(64)
  })
})

describe('the words that somebody who knows the person would try first', () => {
  const known = (who: KnownAs) => knownWords('Acme Login', who).toSorted()
  const ofTheProduct = ['acme', 'acme login', 'login', 'postern']

  it('are whole and in parts what is known, each once, in lower case, and none of a letter or two', () => {
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

  it.each<[string, Partial<KnownAs>]>([
    ['first', { firstName: 'Zoë' }],
    ['last', { lastName: 'Zoë', firstName: null }],
  ])('are no pair of names when there is only the %s', (_, names) => {
    const ofTheAddress = ['someone', 'someone@example.org', 'example', 'org']
    expect(known({ email: 'someone@example.org', ...names })).toEqual(
      [...ofTheProduct, ...ofTheAddress, 'zoë'].toSorted(),
    )
  })
})

describe('the policy', () => {
  const registration = (password: string, who: object) => ({ body: { email: 'someone@example.org', password, ...who } })
  const tooGuessable = {
    code: 'weak_password',
    errors: [{ pointer: '/password', code: 'too_guessable', message: expect.stringMatching(/^[A-Z].*\.$/) }],
  }

  it.each([
    ['the address', 'Brambleworth.Quill@example.org', { email: 'brambleworth.quill@example.org' }],
    ['the mailbox, and more', 'brambleworth22', { email: 'brambleworth@example.org' }],
    ['the domain', 'thistlecombe-abc', { email: 'someone@thistlecombe.example' }],
    ['both names', 'QuillfeatherBramble', { first_name: 'Bramble', last_name: 'Quillfeather' }],
    ['both names with a space', 'Quillfeather Bramble', { first_name: 'Bramble', last_name: 'Quillfeather' }],
    ['a name of two parts', 'bramble-quill11', { first_name: 'Bramble-Quill' }],
    ['the product', 'PosternPostern1', {}],
    ['the product, joined', 'postern-postern', {}],
    ['the product and what everybody uses', 'Postern-Password', {}],
    ...['Ada-Lovelace-Postern', 'AdaLovelacePostern', 'lovelace lovelace', 'Example.Lovelace.Ada1'].map(
      (password): [string, string, object] => [
        `all that is known, joined: ${password}`,
        password,
        { email: 'ada.lovelace@example.com', first_name: 'Ada', last_name: 'Lovelace' },
      ],
    ),
  ])('refuses what is made of %s', async (_, password, who) => {
    const service = startService()
    const answer = await service.call('POST', '/auth/register', registration(password, who))
    expect(answer.status).toBe(422)
    expect(answer.json).toMatchObject(tooGuessable)
  })

  it('takes what is hard enough without what is known', async () => {
    const ada = { email: 'ada.lovelace@example.com', first_name: 'Ada', last_name: 'Lovelace' }
    const answer = await startService().call('POST', '/auth/register', registration('ada-heronlantern', ada))
    expect(answer.status).toBe(202)
  })

  it('takes what is just hard enough to guess', async () => {
    expect(judgeStrength('heronlantern', []).score).toBe(3)
    expect((await startService().call('POST', '/auth/register', registration('heronlantern', {}))).status).toBe(202)
  })

  it('says what to do where the judge has nothing to say', async () => {
    const feedback = { warning: null, suggestions: [] }
    vi.spyOn(ZxcvbnFactory.prototype, 'check').mockReturnValue({ score: 2, feedback } as unknown as ZxcvbnResult)
    const answer = await startService().call('POST', '/auth/register', registration('heronlantern', {}))
    expect(answer.json).toMatchObject(tooGuessable)
  })

  it('lets a stranger use what would give somebody else away', async () => {
    const service = startService()
    const password = 'QuillfeatherBramble'
    expect((await service.call('POST', '/auth/register', registration(password, {}))).status).toBe(202)
  })

  it('counts characters, in the form in which they are kept', async () => {
    const service = startService({ env: { PASSWORD_MIN_LENGTH: '12' } })
    const tooShort = { code: 'weak_password', errors: [{ pointer: '/password', code: 'too_short' }] }
    for (const password of [
      'kfh wq pzmx',
      '\u{1F3EE}\u{1F511}\u{1F9ED}\u{1F6B2}\u{1F327}\u{1F4A1}',
      'vX7#qe\u0301Lm!tR'.normalize('NFD'),
    ]) {
      const answer = await service.call('POST', '/auth/register', registration(password, {}))
      expect(answer.json, password).toMatchObject(tooShort)
    }
    expect((await service.call('POST', '/auth/register', registration('kfh wq pzmx7', {}))).status).toBe(202)
  })
})
