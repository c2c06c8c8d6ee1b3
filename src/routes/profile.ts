import * as z from 'zod/mini'
import type { ProfileChanges } from '../services/accounts/profile.ts'
import { avatarUrl, bio, name } from './fields.ts'

/** The part of a profile that others see and moderators may correct. `null` clears a field. */
export const profile = z.object({
  first_name: z.optional(z.nullable(name)),
  last_name: z.optional(z.nullable(name)),
  avatar_url: z.optional(z.nullable(avatarUrl)),
  bio: z.optional(z.nullable(bio)),
})

export function profileChanges(body: z.output<typeof profile>): ProfileChanges {
  return { firstName: body.first_name, lastName: body.last_name, avatarUrl: body.avatar_url, bio: body.bio }
}
