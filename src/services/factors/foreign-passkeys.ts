import type { Config } from '../../config/settings.ts'
import { log } from '../../log.ts'

const told = new WeakSet<Config>()

/** Says in the log that there are passkeys of another RP ID, once for each start of the Worker. */
export function reportForeignPasskeys(config: Config): void {
  if (told.has(config)) return
  told.add(config)
  log('warn', 'passkeys.unusable', { rp_id: config.rpId })
}
