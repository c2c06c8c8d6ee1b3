/**
 * Calls that need a recent or stronger proof of who is there (RFC 9470). The app asks the person for it, once for all calls
 * that wait, and the calls are repeated. Nothing is refreshed and nobody is signed out: the token is valid.
 */

/** What a refused call asks for. */
export interface StepUpChallenge {
  /** Each of them is enough. Empty when the service names none. */
  acrValues: string[]
  /** How long ago the proof may have been, in seconds. */
  maxAgeSeconds: number | undefined
}

/** Calls `stepUp`, or does not. The refused call is repeated in the first case, and fails in the other. */
export type StepUpHook = (challenge: StepUpChallenge) => Promise<unknown>

export function keepStepUps() {
  let hook: StepUpHook | undefined
  let asking: Promise<unknown> | undefined
  /** How many step-ups have succeeded. */
  let count = 0

  async function withStepUp(call: () => Promise<Response>): Promise<Response> {
    const before = count
    const response = await call()
    const challenge = readChallenge(response)
    if (!challenge) return response
    if (count === before) {
      asking ??= hook?.(challenge).finally(() => (asking = undefined))
      // A hook that fails is a person who declined.
      await asking?.catch(() => undefined)
    }
    // It may also have succeeded for another call while this one was on its way.
    if (count === before) return response
    response.body?.cancel().catch(() => undefined)
    return call()
  }

  return {
    withStepUp,
    noteStepUp: () => void count++,
    onStepUpRequired: (next: StepUpHook) => {
      hook = next
      return () => {
        if (hook === next) hook = undefined
      }
    },
  }
}

function readChallenge({ status, headers }: Response): StepUpChallenge | undefined {
  const challenge = headers.get('WWW-Authenticate') ?? ''
  if (status !== 401 || !/\bbearer\b.*error="insufficient_user_authentication"/i.test(challenge)) return undefined
  const valueOf = (name: string) => new RegExp(`\\b${name}="?([^",]*)`, 'i').exec(challenge)?.[1]
  const maxAge = valueOf('max_age')
  return {
    acrValues: (valueOf('acr_values') ?? '').split(' ').filter(Boolean),
    maxAgeSeconds: maxAge === undefined ? undefined : Number(maxAge),
  }
}
