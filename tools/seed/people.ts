import { dayMs } from '../../src/durations.ts'
import type { Role } from '../../src/permissions.ts'
import type { UserStatus } from '../../src/store/schema/users.ts'
import { newUserShard } from '../../src/crypto/random.ts'
import { localAdminEmail } from '../dev/settings.ts'
import { type Random } from './random.ts'
import { bios, domains, firstNames, lastNames, locales } from './words.ts'

/** The accounts to sign in with. All others are random. */
export const knownPeople: readonly { email: string; role: Role; firstName: string; lastName: string }[] = [
  { email: localAdminEmail, role: 'ADMIN', firstName: 'Grace', lastName: 'Hopper' },
  { email: 'moderator@example.com', role: 'MODERATOR', firstName: 'Alan', lastName: 'Turing' },
  { email: 'user@example.com', role: 'USER', firstName: 'Ada', lastName: 'Lovelace' },
]

export interface SeededPerson {
  id: string
  email: string
  role: Role
  status: UserStatus
  firstName: string | null
  lastName: string | null
  locale: string | null
  bio: string | null
  createdAt: number
  activatedAt: number | null
}

/** Accounts are up to three years old. Pending ones are younger, because they are removed after seven days. */
const oldestMs = 3 * 365 * dayMs
const oldestPendingMs = 6 * dayMs

/** The person at an index: first the known ones, then one for each status, then random ones. */
export function personAt(place: number, random: Random, nowMs: number): SeededPerson {
  const known = knownPeople[place]
  const status = known ? 'active' : statusAt(place - knownPeople.length, random)
  const createdAt = random.between(nowMs - (status === 'pending' ? oldestPendingMs : oldestMs), nowMs - 60_000)
  const firstName = known?.firstName ?? random.of(firstNames)
  const lastName = known?.lastName ?? random.of(lastNames)
  const isNamed = known !== undefined || random.is(0.85)
  const isNeverActivated = status === 'pending' || (status === 'suspended' && random.is(0.1))
  return {
    id: random.id(createdAt, newUserShard),
    email: known?.email ?? `${asciiOf(firstName)}.${asciiOf(lastName)}.${place}@${random.of(domains)}`,
    role: known?.role ?? (status === 'pending' ? 'USER' : roleOf(random.next())),
    status,
    firstName: isNamed ? firstName : null,
    lastName: isNamed ? lastName : null,
    locale: random.of(locales),
    bio: status !== 'pending' && random.is(0.2) ? random.of(bios) : null,
    createdAt,
    activatedAt: isNeverActivated ? null : Math.min(createdAt + random.below(6 * 60 * 60 * 1000), nowMs - 30_000),
  }
}

function statusAt(place: number, random: Random): UserStatus {
  if (place < 3) return (['pending', 'suspended', 'active'] as const)[place]!
  const share = random.next()
  if (share < 0.05) return 'pending'
  return share < 0.09 ? 'suspended' : 'active'
}

function roleOf(share: number): Role {
  if (share < 0.0005) return 'ADMIN'
  return share < 0.005 ? 'MODERATOR' : 'USER'
}

/** Many email clients refuse addresses with other letters, although they are valid. */
function asciiOf(name: string): string {
  return name
    .normalize('NFD')
    .replace(/ı/g, 'i')
    .replace(/[^A-Za-z]/g, '')
    .toLowerCase()
}
