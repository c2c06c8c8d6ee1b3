import { parseSecretKeys } from '../../src/crypto/keys.ts'
import { confirm } from '../cloudflare/ask.ts'
import { Stop } from '../command.ts'
import { minuteOf, readSet, unusedSince } from './key-set.ts'
import { type Rewrapped, rewrap } from './rewrap.ts'
import { databaseOf } from './still-used.ts'
import type { KeysOptions, KeysSurroundings } from './surroundings.ts'
import { usesOf } from './uses.ts'

/**
 * `npm run keys -- rewrap`
 *
 * @param text the set `DATA_KEYS`, which the service would read
 * @throws {Stop} at the end, when there are rows that do not verify
 */
export async function rewrapAll(around: KeysSurroundings, text: string, options: KeysOptions): Promise<void> {
  const [active, ...others] = readSet(text)
  const { say } = around
  const promoted = others.flatMap((key) => unusedSince(key) ?? [])
  const due = Math.max(...promoted)
  if (!options.isLocal && due > around.now().getTime()) {
    throw new Stop(`Some of Cloudflare's locations may not know the active key yet. Begin after ${minuteOf(due)}.`)
  }
  const query = await databaseOf(around, options)
  if (query === null) throw new Stop('There is no database on this machine yet.')
  say(`Second factors will be brought under the key ${active.kid}.`)
  if (!options.isLocal) say('The deployed Worker must have this key already: it could not read them otherwise.')
  await confirm(around.asker, options.isConfirmed)

  const report = ({ what, count }: Rewrapped) => say(`${count} ${what} …`)
  const done = await rewrap(query, parseSecretKeys(text), report)
  say(`Under the key ${active.kid} now: ${done.map(({ what, count }) => `${count} ${what}`).join(', ')}.`)
  for (const { kid } of others) {
    const uses = await usesOf(query, 'DATA_KEYS', kid)
    say(uses.length > 0 ? `Still under the key ${kid}: ${uses.join(', ')}.` : `Nothing is left under the key ${kid}.`)
  }
  const refused = done.flatMap(({ what, refused: ids }) => ids.map((id) => `  ${what}: ${id}`))
  if (refused.length === 0) return
  throw new Stop(
    [
      'These rows were left as they are, because no key of the file made them so. See "Rows that do not verify" in docs/keys.md.',
      ...refused.slice(0, 20),
      ...(refused.length > 20 ? [`  and ${refused.length - 20} more`] : []),
    ].join('\n'),
  )
}
