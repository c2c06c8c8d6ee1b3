/** The introduction to the document. */
import { problems } from '../../src/problems.ts'

export const summary = 'Accounts, sessions, roles and the emails around them.'

const catalogue = Object.entries(problems).map(
  ([code, { status, detail }]) => `| \`${code}\` | ${status} | ${detail} |`,
)

export const description = `Postern registers users and signs them in. Its access tokens can be verified by any service without
a call to Postern, and its sessions can be ended at any time.

## Conventions

- JSON in and out, UTF-8, \`snake_case\`. Unknown fields of a body are ignored. A body is at most 16 KiB. \`null\` is the
  same as an absent field; in \`PATCH\` it clears the field.
- Later versions may add fields to answers. Ignore those that you do not know.
- Times are RFC 3339 in UTC with milliseconds, ids are UUIDv7, durations are seconds. Ids are read in
  any case.
- Email addresses are trimmed and compared in lower case.
- Every answer has an \`X-Request-Id\`. Send your own to find a request in the logs.
- Lists have pages: pass the \`next_cursor\` of a page as \`cursor\` of the next, until it is \`null\`.
  A cursor belongs to its list and filters. A list refuses query parameters that it does not have.
- Every path that answers GET also answers HEAD.
- Pages of other origins may call the API from a browser (CORS) if the operator lists their origin. They send a bearer
  token and no cookies.
- Pages of this origin may keep their refresh token in a cookie that scripts cannot read: send \`"transport": "cookie"\` in
  the body of activation, sign-in, refresh, sign-out and a change of the password. The cookie is
  \`__Host-postern-refresh\` (\`HttpOnly\`, \`Secure\`, \`SameSite=Strict\`). Such a request must have this origin in its \`Origin\` header; otherwise the answer is
  \`origin_not_allowed\`.
- Calls that change a lot ask for a recent proof (RFC 9470): \`insufficient_user_authentication\` with \`max_age\` and
  \`acr_values\` in \`WWW-Authenticate\`. Step up, then repeat the call. Neither a refresh nor a new sign-in is needed.
- The operator may demand a second factor. A session without it may only sign out, read its own account, and add or show
  a factor; any other call is \`factor_enrolment_required\`, or \`insufficient_user_authentication\` if there is a factor.
- Too many requests are answered with \`rate_limited\` and \`Retry-After\`.

## Problems

Errors are answered with \`application/problem+json\` (RFC 9457). \`code\` is for programs; the list is complete.
\`type\` is the address of a page about the code.
An unknown path is answered with \`not_found\`, a wrong method with \`method_not_allowed\` and an \`Allow\` header.

| code | status | meaning |
|---|---|---|
${catalogue.join('\n')}
`

export const tags = [
  { name: 'Accounts', description: 'Registration, activation and passwords.' },
  { name: 'Tokens', description: 'Signing in, staying signed in, signing out, and verifying access tokens.' },
  { name: 'Me', description: 'What signed-in users do with their own account.' },
  {
    name: 'Administration',
    description:
      'What users with a permission do with the accounts of others. The role and the status of the caller are read on each request.',
  },
  { name: 'Service', description: 'Keys, health, and this document.' },
] as const

export type TagName = (typeof tags)[number]['name']
