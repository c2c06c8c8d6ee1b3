/** Rows as they are in life: types, details and addresses in realistic shares. Each maker gives one table's rows in order. */
import { bytesOfUuid } from '../../../src/crypto/random.ts'
import { type AuditType, auditEvents } from '../../../src/store/schema/audit.ts'
import { emails } from '../../../src/store/schema/emails.ts'
import { sessions } from '../../../src/store/schema/sessions.ts'
import { users } from '../../../src/store/schema/users.ts'
import { Random } from '../../../tools/seed/random.ts'
import { bios, domains, firstNames, lastNames, userAgents } from '../../../tools/seed/words.ts'

export const rows = 100_000
const dayMs = 24 * 60 * 60 * 1000
const now = Date.UTC(2030, 0, 1)
const random = new Random(1)

const bytesOf = (length: number) => Uint8Array.from({ length }, () => random.below(256))
/** Half of the clients have IPv6. */
const address = () => bytesOf(random.is(0.5) ? 4 : 16)
/** The time of a row: they are made one after the other in this many days. */
const timeOf = (place: number, days: number) => now - days * dayMs + Math.floor((place / rows) * days * dayMs)

const people = Array.from({ length: rows }, (_, place) => ({
  id: random.id(timeOf(place, 1000), 0),
  firstName: random.of(firstNames),
  lastName: random.of(lastNames),
  email: `${random.of(firstNames)}.${random.of(lastNames)}.${place}@${random.of(domains)}`.toLowerCase(),
}))

/** Types, how frequent each is, and what it holds besides: sign-ins and sign-outs are most of the trail. */
type Kind = [share: number, type: AuditType, about?: { subject?: true; stranger?: true; detail?: object }]
const kinds: [Kind, ...Kind[]] = [
  [0.5, 'user.signed_in', { subject: true }],
  [0.06, 'user.signed_in', { subject: true, detail: { replaced: true } }],
  [0.14, 'session.ended', { subject: true }],
  [0.1, 'user.sign_in_refused', { stranger: true, detail: { reason: 'wrong_password' } }],
  [0.03, 'user.registered', { stranger: true }],
  [0.03, 'user.activated', { subject: true }],
  [0.04, 'user.password_reset_requested', { stranger: true }],
  [0.03, 'user.password_reset'],
  [0.02, 'user.password_changed'],
  [0.03, 'user.profile_updated', { detail: { fields: 'first_name last_name' } }],
  [
    0.01,
    'session.refresh_repeated',
    {
      subject: true,
      stranger: true,
      detail: { rotated_ip: 'CB007107', rotated_country: 'DE', user_agent: userAgents[0] },
    },
  ],
  [
    0.01,
    'email.undeliverable',
    { subject: true, stranger: true, detail: { template: 'new_sign_in', reason: 'bounced' } },
  ],
]

/** Templates, and how frequent each is. */
type Template = [share: number, template: string]
const templates: [Template, ...Template[]] = [
  [0.3, 'registration'],
  [0.25, 'account_activated'],
  [0.15, 'password_reset'],
  [0.1, 'password_changed'],
  [0.2, 'new_sign_in'],
]

/** An entry by its share. */
function draw<Entry extends [share: number, ...rest: unknown[]]>(entries: readonly [Entry, ...Entry[]]): Entry {
  let left = random.next()
  return entries.find(([share]) => (left -= share) < 0) ?? entries[0]
}

export const makers = {
  users: {
    table: users,
    row: (place: number) => {
      const at = new Date(timeOf(place, 1000))
      const isNamed = random.is(0.85)
      return {
        ...people[place],
        ...(!isNamed && { firstName: null, lastName: null }),
        // Its head of 6 bytes, a key id, the salt and the hash.
        passwordHash: bytesOf(6 + 10 + 16 + 32),
        passwordId: random.id(at.getTime()),
        role: 'USER',
        status: random.is(0.95) ? 'active' : 'suspended',
        bio: random.is(0.2) ? random.of(bios) : null,
        avatarUrl: random.is(0.1) ? 'https://cdn.example.com/avatars/0123456789abcdef.png' : null,
        locale: 'en-GB',
        updatedAt: at,
        activatedAt: at,
        lastLoginAt: at,
      } as const
    },
  },
  sessions: {
    table: sessions,
    row: (place: number) => {
      const at = timeOf(place, 90)
      const ip = address()
      const isRepeated = random.is(0.1)
      return {
        id: random.id(at, 0),
        userId: random.of(people).id,
        deviceId: random.id(at),
        generation: random.below(300),
        lastUsedAt: new Date(at),
        expiresAt: new Date(at),
        ip,
        country: 'DE',
        userAgentId: 1 + random.below(3000),
        userAgentDigest: bytesOf(8),
        network: ip.slice(0, ip.length === 4 ? 3 : 8),
        repeatedGeneration: isRepeated ? random.below(300) : null,
        lastRepeatAt: isRepeated ? new Date(at) : null,
      }
    },
  },
  emails: {
    table: emails,
    row: (place: number) => {
      const at = timeOf(place, 30)
      const { id: userId, email: recipient } = random.of(people)
      const [, template] = draw(templates)
      return {
        id: random.id(at),
        template,
        recipient,
        userId,
        budget: template === 'registration' ? 'activation' : template,
        // A row keeps none once its email is sent.
        params: {},
        status: 'sent',
        attempts: 1,
        dueAt: new Date(at),
        announceAt: new Date(at),
        linkedAt: template === 'registration' || template === 'password_reset' ? new Date(at) : null,
        providerId: random.id(at),
        fate: 'delivered',
        deliveredAt: new Date(at),
        finishedAt: new Date(at),
      } as const
    },
  },
  audit_events: {
    table: auditEvents,
    row: (place: number) => {
      const at = timeOf(place, 90)
      const [, type, { subject = false, stranger = false, detail = null } = {}] = draw(kinds)
      return {
        id: random.id(at),
        type,
        userId: random.of(people).id,
        byUser: !stranger,
        subjectId: subject ? random.id(at) : null,
        ip: address(),
        country: 'DE',
        userAgentId: 1 + random.below(3000),
        requestId: bytesOfUuid(random.id(at)),
        detail,
      }
    },
  },
}
