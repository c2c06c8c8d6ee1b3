import type { Config } from '../../config/settings.ts'
import { log } from '../../log.ts'

const told = new WeakSet<Config>()

/** Logs that there are passkeys of another RP ID, once in each isolate. */
export function reportForeignPasskeys(config: Config): void {
  if (told.has(config)) return
  told.add(config)
  log('warn', 'passkeys.unusable', { rp_id: config.rpId })
}
