import type { Asker } from '../cloudflare/ask.ts'
import type { Wrangler } from '../wrangler.ts'

export interface KeysSurroundings {
  wrangler: Wrangler
  env: NodeJS.ProcessEnv
  asker: Asker | null
  say: (line: string) => void
  now: () => Date
}

export interface KeysOptions {
  /** The owner's copy of the keys: Cloudflare never shows a secret again. */
  file: string
  /** Whether the file belongs to a developer's machine. Its keys are never uploaded. */
  isLocal: boolean
  uploads: boolean
  isConfirmed: boolean
  /** Whether a key is retired although rows need it. */
  isForced: boolean
}
