import { Stop } from '../command.ts'
import type { Plan } from './plan.ts'

/** Where Cloudflare can keep the primary of a D1 database, as wrangler names it. */
const locations = ['weur', 'eeur', 'apac', 'oc', 'wnam', 'enam']
/** Where it can keep data for good: D1 and KV do not leave it. */
const jurisdictions = ['eu', 'us', 'fedramp']

export interface Location {
  location?: string | undefined
  jurisdiction?: string | undefined
}

/**
 * The arguments of `create` for the database and the KV namespace. KV has no location: it is in all of them.
 *
 * @throws {Stop} for an unknown place, and when a store exists already: none of them can be moved
 */
export function placeStores({ location, jurisdiction }: Location, { database, namespace }: Plan) {
  const choices = { location: [location, locations], jurisdiction: [jurisdiction, jurisdictions] } as const
  for (const [name, [chosen, possible]] of Object.entries(choices)) {
    if (chosen !== undefined && !possible.includes(chosen)) {
      throw new Stop(`Nothing was done. --${name} must be one of ${possible.join(', ')}, not "${chosen}".`)
    }
  }
  if (location !== undefined && jurisdiction !== undefined) {
    throw new Stop('Nothing was done. Cloudflare ignores --location where there is a --jurisdiction: choose one.')
  }
  const fixed =
    database.id !== null ? 'database' : jurisdiction !== undefined && namespace.id !== null && 'KV namespace'
  if (fixed && (location ?? jurisdiction) !== undefined) {
    throw new Stop(`Nothing was done. The ${fixed} exists, and Cloudflare moves none: leave the place out.`)
  }
  const within = jurisdiction === undefined ? [] : [`--jurisdiction=${jurisdiction}`]
  return { database: location === undefined ? within : [`--location=${location}`], namespace: within }
}
