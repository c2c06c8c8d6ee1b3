import { useEffect, useState } from 'preact/hooks'
import type { components } from '../../client/src/api.ts'
import { words } from './texts/words.ts'

/** Tells an ADMIN that the database is filling up. `/readyz` is public, but only an ADMIN can act on this. */
export function Room() {
  const [state, setState] = useState<string>()
  useEffect(() => {
    readState().then(setState, () => undefined)
  }, [])
  const text = state === 'filling' || state === 'nearly_full' || state === 'full' ? words.room[state] : null
  return text ? (
    <div class="notice" role="status">
      {text}
    </div>
  ) : null
}

async function readState(): Promise<string> {
  const answer = await fetch('/readyz')
  const { checks } = (await answer.json()) as components['schemas']['Readiness']
  return checks.d1
}
