/** The widget of a form that the service guards against programs. */
import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Challenge, type ChallengeAction } from '../challenge.ts'
import { hasFieldError } from '../failures.ts'
import { turnstile } from '../settings.ts'
import { texts } from '../texts/language.ts'

/** What goes into the body of a guarded call. */
export interface Proof {
  turnstile_token?: string
}

interface Guard {
  /** The widget, where it is wanted. */
  widget: ComponentChildren
  /**
   * Makes a call with a token where one is wanted, and once more with a new one when the service asks for it: every try
   * spends its token, right or wrong.
   */
  send: <T>(call: (proof: Proof) => Promise<T>) => Promise<T>
}

/** @param isWanted whether the form always needs it; otherwise when the service says so */
export function useChallenge(action: ChallengeAction, isWanted: boolean): Guard {
  const [challenge] = useState(() => new Challenge(action))
  const [isShown, setIsShown] = useState(isWanted && turnstile !== null)

  async function attempt<T>(call: (proof: Proof) => Promise<T>): Promise<T> {
    const token = await challenge.takeToken()
    try {
      return await call({ turnstile_token: token })
    } catch (error) {
      void challenge.renew()
      throw error
    }
  }

  return {
    widget: isShown && <Widget challenge={challenge} isAsked={!isWanted} />,
    async send(call) {
      if (turnstile === null) return call({})
      try {
        return await (isShown ? attempt(call) : call({}))
      } catch (error) {
        if (!hasFieldError(error, 'turnstile_required', 'turnstile_failed')) throw error
        setIsShown(true)
        return attempt(call)
      }
    },
  }
}

function Widget({ challenge, isAsked }: { challenge: Challenge; isAsked: boolean }) {
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => {
    challenge.mount(place.current!)
    return () => challenge.unmount()
  }, [])
  return (
    <div role="group" aria-label={texts.challenge.title} class="challenge">
      {isAsked && <p role="status">{texts.challenge.asked}</p>}
      <div ref={place} />
    </div>
  )
}
