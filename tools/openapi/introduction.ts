/** What a reader has to know before the first operation. */
import { problems } from '../../src/errors.ts'

export const summary = 'Accounts, sessions and roles at the edge.'

const catalogue = Object.entries(problems).map(
  ([code, { status, detail }]) => `| \`${code}\` | ${status} | ${detail} |`,
)

export const description = `Postern registers users, signs them in and says who they are: with access tokens that any
service can verify by itself, and sessions that end when they are ended.

## Conventions

- JSON in and out, UTF-8, \`snake_case\`. Unknown fields of a request are ignored. A body is at most 16 KiB.
- Times are RFC 3339 in UTC with milliseconds, ids are UUIDv7, durations are seconds.
- E-mail addresses are compared trimmed and in lower case.
- Every answer carries \`X-Request-Id\`. Send one of your own to find a request in the logs.
- Lists are read page by page: \`next_cursor\` of one page is \`cursor\` of the next, until it is \`null\`.
- Whatever answers GET answers HEAD.
- Pages of the origins that the operator lists may call this from a browser (CORS), with a bearer token and without cookies.
- Pages of this very origin may have their refresh token kept in a cookie that no script can read: \`"transport": "cookie"\` in the
  body of activation, sign-in, refresh and sign-out. The cookie is \`__Host-postern-refresh\` (\`HttpOnly\`, \`Secure\`,
  \`SameSite=Strict\`). Such a request needs this origin in its \`Origin\` header, else it is \`origin_not_allowed\`.
- Who calls too often is told to wait by \`rate_limited\` and \`Retry-After\`.

## Problems

Whatever goes wrong is answered with \`application/problem+json\` (RFC 9457). \`code\` is for programs; the list is closed.
An unknown path is \`not_found\`, a known one with the wrong method \`method_not_allowed\` with an \`Allow\` header.

| code | status | meaning |
|---|---|---|
${catalogue.join('\n')}
`

export const tags = [
  { name: 'Accounts', description: 'Registration, activation and passwords.' },
  { name: 'Tokens', description: 'Signing in, staying signed in, signing out, and verifying who is.' },
  { name: 'Me', description: 'What the signed-in user does with its own account.' },
  {
    name: 'Administration',
    description:
      'What a user with a permission does to others. Role and status of the one who asks are read at each call.',
  },
  { name: 'Service', description: 'Keys, health, and this document.' },
] as const

export type TagName = (typeof tags)[number]['name']
