import { inUtc } from '../../instant.ts'
import type { Brand, Fact, Link } from '../../letter.ts'
import { type Whereabouts, whereaboutsFacts } from '../../whereabouts.ts'

export interface LinkDetails {
  link: string
  expiresAt: Date
}

export interface IncidentDetails {
  at: Date
  from: Whereabouts
}

const months = 'January February March April May June July August September October November December'.split(' ')

const device = {
  label: 'Device',
  unknown: 'Unknown browser or program',
  name: (browser: string, system: string) => `${browser} on ${system}`,
}

export const roleNames = { USER: 'User', MODERATOR: 'Moderator', ADMIN: 'Administrator' }

/** `22 November 2026, 18:40 UTC`. */
export function formatTime(instant: Date): string {
  const { day, month, year, time } = inUtc(instant)
  return `${day} ${months[month]} ${year}, ${time} UTC`
}

export function formatWhereabouts(from: Whereabouts): Fact[] {
  return whereaboutsFacts(from, { device, network: 'Network' })
}

/** Where to ask. Nothing when the operator named no contact: then no sentence may send people there. */
export function support({ productName, supportUrl }: Brand): Link | undefined {
  return supportUrl === null ? undefined : { label: `Contact ${productName}`, url: supportUrl }
}

/** The page where anybody can ask for a link to set a new password. */
export function newPassword({ publicUrl }: Brand): Link {
  return { label: 'Set a new password', url: `${publicUrl}/reset-password` }
}
