/** The rules for each kind of field that clients send. */
import * as z from 'zod/mini'
import { isUuidv7 } from '../crypto/random.ts'
import { normalizeEmailAddress } from '../email-address.ts'
import { passwordMaxLength } from '../crypto/password-rules.ts'
import { normalizeLanguageTag } from '../language-tag.ts'
import { roles } from '../permissions.ts'
import { returnToMaxLength } from '../return-to.ts'
import { hasPlainControls, hasVisible, isDirectionSafe, isSingleLine } from '../visible-text.ts'

/** Text that can be stored and shown: no NUL, no unpaired surrogate. */
const text = z.string().check(
  z.refine((value) => value.isWellFormed() && !value.includes('\0'), {
    error: 'must not contain NUL or unpaired surrogates',
    params: { code: 'invalid_text' },
    abort: true,
  }),
)

/**
 * One spelling for what looks the same, before it is measured: keyboards and systems write accents in different ways.
 */
const composed = z.overwrite((value: string) => value.normalize('NFC'))

/** Text that is shown to people. It must not rearrange the text around it. */
const shown = text.check(
  z.refine(isDirectionSafe, {
    error: 'must not contain characters that turn the direction of text',
    params: { code: 'invalid_text' },
  }),
  composed,
)

/** One line of at least one visible character. */
const line = (max: number) =>
  shown.check(
    z.refine(isSingleLine, { error: 'must be a single line', params: { code: 'invalid_text' } }),
    z.overwrite((value) => value.trim()),
    z.minLength(1),
    z.refine((value) => value === '' || hasVisible(value), {
      error: 'must have a visible character',
      params: { code: 'invalid_text' },
    }),
    z.maxLength(max),
  )

/** Trimmed, lower case, punycode: see `normalizeEmailAddress`. */
export const email = text.check(
  z.overwrite((value) => normalizeEmailAddress(value) ?? ''),
  z.refine((value) => value !== '', { error: 'must be one e-mail address', params: { code: 'invalid_email' } }),
  z.meta({ format: 'email', maxLength: 254, examples: ['ada@example.com'] }),
)

/** A prefix of an address, compared with addresses as they are stored. A whole address may have any spelling. */
export const emailPrefix = text.check(
  z.overwrite((value) => normalizeEmailAddress(value) ?? value.trim().toLowerCase()),
  z.minLength(1),
  z.maxLength(254),
  z.meta({ description: 'A prefix of the address.' }),
)

/** A password to compare, as it was typed. Only its Unicode form is normalized, as the hash does itself. */
export const password = text.check(
  composed,
  z.minLength(1),
  z.maxLength(passwordMaxLength),
  z.meta({ format: 'password' }),
)

/** A new password. The password policy judges it; this only makes sure that it can. */
export const newPassword = text.check(
  composed,
  z.maxLength(passwordMaxLength),
  z.meta({
    format: 'password',
    description: `8 (configurable) to ${passwordMaxLength} characters, hard to guess (zxcvbn score 3, also without names, words, years and symbols around them), and not known from a data breach. No rules of composition.`,
  }),
)

/** A JWT. Only its signature shows whether it is valid, so any text passes here. */
export const token = text.check(z.minLength(1))

/**
 * A field that may be absent. `null` means the same, because clients in Kotlin, Java and C# send it for every field
 * that has no value. Not for a field that `null` clears.
 */
export function optional<Schema extends z.ZodMiniType>(schema: Schema) {
  return z.pipe(
    z.nullish(schema),
    z.transform((value) => (value ?? undefined) as z.output<Schema> | undefined),
  )
}

/** The account's own password. An account without one sends none. */
export const ownPassword = optional(
  password.check(z.meta({ description: 'Needed if the account has a password.', format: 'password' })),
)

/** A token that may be absent, as it also is when it is empty. */
const optionalToken = (schema: typeof text) =>
  z.pipe(
    optional(schema),
    z.transform((value) => value || undefined),
  )

/** Bytes of a browser, in base64url. Only their check shows what they are, so any text passes here. */
const binary = token

/** `PublicKeyCredential.toJSON()` after `navigator.credentials.get` (WebAuthn Level 3 §5.1), as far as it is read. */
export const assertion = z.object({
  id: binary,
  response: z.object({
    clientDataJSON: binary,
    authenticatorData: binary,
    signature: binary,
    userHandle: optional(text),
  }),
})

/** `refresh_token` where the cookie may hold it instead. */
export const optionalRefreshToken = optionalToken(text.check(z.meta({ description: 'Needed without the cookie.' })))

/** `refresh_token` beside an access token, for a call that may renew both. */
export const ownRefreshToken = optionalToken(
  text.check(
    z.meta({
      description: 'That of this session. With it the answer has new tokens, and every older one is closed.',
    }),
  ),
)

/** `device_token` of an earlier sign-in. An invalid one is not an error: the device counts as unknown. */
export const deviceToken = optionalToken(text)

/**
 * A code that a person types, with or without spaces. Only its check shows whether it is right, so any text passes
 * here.
 */
export const typedCode = text.check(
  z.overwrite((value) => value.replace(/\s/g, '')),
  z.minLength(1),
  z.maxLength(100),
)

/** `mail_code` of `POST /users/me/factors/code`. */
export const mailCode = optional(
  typedCode.check(
    z.meta({
      description: 'From the email, for the first factor of an account that must have one.',
      examples: ['01234567'],
    }),
  ),
)

/** `trust_token` of an earlier sign-in. An invalid one is not an error: a second factor is asked for. */
export const trustToken = optionalToken(
  text.check(z.meta({ description: 'Of an earlier sign-in with `trust_device`. With the cookie it is not needed.' })),
)

/** The token of the Turnstile widget. Cloudflare's are at most 2048 characters long. */
export const turnstileToken = optionalToken(
  text.check(
    z.maxLength(2048),
    z.meta({
      description: 'Where the operator asks for it: the token of a solved Turnstile challenge. It is good once.',
    }),
  ),
)

/** Where the page behind an emailed link leads. Its origin is checked with the configuration, by `assertReturnTo`. */
export const returnTo = optional(
  text.check(
    z.maxLength(returnToMaxLength),
    z.meta({
      description:
        'Where the page behind the link in the email leads at the end: a path of this service, or a URL of one of the origins in `CORS_ORIGINS`. Any other is refused as `invalid_return_to`. As a full URL it has at most 512 characters.',
      examples: ['/account'],
    }),
  ),
)

/** Where the answer puts the refresh token. */
export const transport = optional(
  z.enum(['bearer', 'cookie']).register(z.globalRegistry, {
    description: '`cookie`, for pages of this origin: the refresh token is kept in a cookie, not answered.',
  }),
)

export const name = line(100)
export const reason = line(500)

export const avatarUrl = text.check(
  z.maxLength(2048),
  z.refine(isHttpsUrl, { error: 'must be an https URL', params: { code: 'invalid_url' } }),
  z.meta({ format: 'uri' }),
)

/** Several lines, but no other control characters. */
export const bio = shown.check(
  z.refine(hasPlainControls, { error: 'must not contain control characters', params: { code: 'invalid_text' } }),
  z.maxLength(500),
)

/** A BCP 47 language tag in its canonical spelling: see `normalizeLanguageTag`. */
export const locale = text.check(
  z.overwrite((value) => normalizeLanguageTag(value) ?? ''),
  z.refine((value) => value !== '', { error: 'must be a BCP 47 language tag', params: { code: 'invalid_locale' } }),
  z.meta({ maxLength: 35, examples: ['en-GB'] }),
)

/** RFC 3339. */
export const instant = z.string().check(
  z.maxLength(40),
  z.refine((value) => /^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)$/.test(value) && Date.parse(value) >= 0, {
    error: 'must be an instant such as 2026-11-30T13:00:00Z',
  }),
  z.meta({ format: 'date-time' }),
)

export const role = z.enum(roles)

/** An id of ours in any case: Swift writes upper case, and a UUID is read without regard to it (RFC 9562 §4). */
export const id = z.string().check(
  z.overwrite((value) => value.toLowerCase()),
  z.refine(isUuidv7, { error: 'must be an id', params: { code: 'invalid_id' } }),
  z.meta({ format: 'uuid' }),
)

/** `valid` answers 404 for an id that is not a UUIDv7. */
export const idParam = z.object({ id })

/** The query of a list without parameters, and of an act on a whole list, which a filter must not seem to narrow. */
export const noParameters = z.object({})

/** RFC 3986. Browsers repair spaces, backslashes and umlauts, but other programs may read them differently. */
const uriPattern = /^https:\/\/[\w.-]+(?::\d+)?(?:[/?#](?:[\w.~:/?#@!$&'()*+,;=-]|%[0-9a-f]{2})*)?$/i

function isHttpsUrl(value: string): boolean {
  const url = URL.parse(value)
  return url !== null && url.username === '' && url.password === '' && uriPattern.test(value)
}
